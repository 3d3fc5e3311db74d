"""Runs that start from weights: our own, a model's, PyTorch's."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ops import Conv2D, Dense, Flatten, Network
from service.config import ClusterConfig, from_preset
from service.errors import DataError, InvalidInput, NotFound
from service.home import Home
from service.registry.exports.weights import as_tensors, read_weights
from service.rounds.job import Job
from service.rounds.serial_executor import SerialExecutor
from service.rounds.train_state import TrainState
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.preflight import check_training
from service.training.resume import recorded_job
from service.training.start import create_run, start_run
from service.training.verify import verify_run
from service.training.warm_start import FRESH, WarmStart
from tests.jobs import serial_results, small, small_job
from tests.service.models import draft, publish


@pytest.fixture
def job(home: Home, tmp_path: Path) -> Job:
    return small_job(home, tmp_path / "idx")


def test_without_an_origin_a_run_starts_from_fresh_parameters(home: Home, job: Job):
    assert FRESH.checkpoint(home, job) is None


def test_a_run_starts_from_a_file_and_can_be_verified(home: Home, job: Job, tmp_path: Path, executor_of):
    theta = job.network.init_parameters(seed=77)
    save_file(as_tensors(job.network, theta), tmp_path / "weights.safetensors")
    warm_start = WarmStart(init=str(tmp_path / "weights.safetensors"))
    folder, begun = create_run(home, executor_of(2), from_preset(small()), "from-file", warm_start)
    (tmp_path / "weights.safetensors").unlink()
    for _ in advance(executor_of(2), folder, begun):
        pass
    start = job.initial_state()
    start = TrainState(replace(start.replica, theta=theta), start.outer)
    *_, alone = serial_results(job, start)
    assert final_checkpoint(folder).state.digest == alone.digest
    assert all(check.same for check in verify_run(folder, recorded_job(home, folder)))
    assert folder.facts()["start_digest"] == start.digest
    assert folder.facts()["init"] == warm_start.init


def test_a_run_starts_from_a_model_of_the_registry(home: Home, job: Job):
    theta = job.network.init_parameters(seed=5)
    publish(home.models, "blobs", replace(draft(), network=job.network, theta=theta, class_names=tuple("abcde")))
    for init in ("blobs", "blobs:1", "blobs:champion"):
        found = WarmStart(init=init).checkpoint(home, job)
        assert found is not None
        np.testing.assert_array_equal(found.state.replica.theta, theta)
        assert not found.state.replica.velocity.any()


def test_a_state_dict_of_pytorch_is_a_starting_point(home: Home, job: Job, tmp_path: Path):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with")
    from safetensors.torch import save_file as save_torch

    net = torch.nn.Sequential(
        torch.nn.Flatten(), *(module for piece in job.network.table if len(piece.shape) == 2
                              for module in (torch.nn.Linear(piece.shape[1], piece.shape[0]), torch.nn.ReLU()))
    )[:-1]  # fmt: skip
    save_torch(net.state_dict(), tmp_path / "net.safetensors")
    found = WarmStart(init=str(tmp_path / "net.safetensors")).checkpoint(home, job)
    assert found is not None
    flat = np.concatenate([tensor.numpy().ravel() for tensor in net.state_dict().values()])
    np.testing.assert_array_equal(found.state.replica.theta, flat)


def write_tensor(path: Path, kind: str, content: bytes) -> None:
    """A safetensors file with one tensor `w` of four elements, of a type that NumPy may lack."""
    header = json.dumps({"w": {"dtype": kind, "shape": [4], "data_offsets": [0, len(content)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)


def test_bfloat16_can_be_read(tmp_path: Path):
    write_tensor(tmp_path / "w.safetensors", "BF16", np.array([0x3F80, 0xC000, 0, 0x4049], "<u2").tobytes())
    np.testing.assert_array_equal(read_weights(tmp_path / "w.safetensors")["w"], [1, -2, 0, 3.140625])


def test_what_is_no_starting_point_is_told(home: Home, job: Job, tmp_path: Path):
    publish(home.models, "lenet")
    (tmp_path / "net.pt").write_bytes(b"\x80\x04pickle")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    for kind in ("F8_E4M3", "F8_E5M2"):
        write_tensor(tmp_path / f"{kind}.safetensors", kind, bytes(4))
    wrong = {
        "nothing": (NotFound, "there is no version 'champion' of model 'nothing'"),
        "lenet": (InvalidInput, "train with the same --model"),
        str(tmp_path / "gone.safetensors"): (DataError, "No such file"),
        str(tmp_path / "net.pt"): (DataError, "never opened: convert it"),
        str(tmp_path / "cut.safetensors"): (DataError, "is not a safetensors file"),
        str(tmp_path / "F8_E4M3.safetensors"): (DataError, "w in .* is of type F8_E4M3, .* convert it to float32"),
        str(tmp_path / "F8_E5M2.safetensors"): (DataError, "w in .* is of type F8_E5M2, .* convert it to float32"),
        str(tmp_path / "other.safetensors"): (InvalidInput, "network .mlp. has . tensors"),
    }
    for init, (kind, message) in wrong.items():
        with pytest.raises(kind, match=message):
            WarmStart(init=init).checkpoint(home, job)
        with pytest.raises(kind, match=message):  # and before anything is started
            check_training(home, job.config, ClusterConfig(), WarmStart(init=init))
    with pytest.raises(InvalidInput, match="not both"):
        WarmStart(fork="run", init="lenet").checkpoint(home, job)


def test_weights_of_another_network_of_the_same_size_are_refused(home: Home, job: Job):
    swapped = Network("x", (1, 12, 12), (Conv2D(2, (3, 5)), Flatten(), Dense(5)))
    straight = Network("x", (1, 12, 12), (Conv2D(2, (5, 3)), Flatten(), Dense(5)))
    assert swapped.size == straight.size
    made = replace(draft(), network=swapped, theta=swapped.init_parameters(0), class_names=tuple("abcde"))
    publish(home.models, "swapped", made)
    with pytest.raises(InvalidInput, match=r"swapped:1 has conv2d1.weight of shape \(2, 1, 3, 5\), network x "):
        WarmStart(init="swapped").check(home, straight)
    WarmStart(init="swapped").check(home, swapped)


def test_weights_are_floats(home: Home, job: Job, tmp_path: Path):
    found = as_tensors(job.network, job.initial_state().replica.theta)
    tensors = {name: np.ones(tensor.shape, np.int8) for name, tensor in found.items()}
    save_file(tensors, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="is of type I8, which can't be read"):
        read_weights(tmp_path / "weights.safetensors")


def test_a_model_s_name_may_have_a_dot(home: Home, job: Job):
    theta = job.network.init_parameters(seed=5)
    publish(home.models, "net-1.5", replace(draft(), network=job.network, theta=theta, class_names=tuple("abcde")))
    found = WarmStart(init="net-1.5").checkpoint(home, job)
    assert found is not None
    assert np.array_equal(found.state.replica.theta, theta)


def test_a_fork_of_another_network_of_the_same_size_is_refused(home: Home, job: Job):
    def described(kernel: list[int]) -> dict[str, object]:
        layers = [{"conv2d": {"channels": 2, "kernel_size": kernel}}, "flatten", {"dense": {"units": "classes"}}]
        return {"name": "x", "layers": layers}

    wide, tall = (from_preset({**small(epochs=1), "model": described(kernel)}) for kernel in ([3, 5], [5, 3]))
    start_run(home, SerialExecutor(), "wide", wide, lambda entry: None)
    create_run(home, SerialExecutor(), wide, "fork", WarmStart(fork="wide"))
    with pytest.raises(InvalidInput, match=r"run wide has conv2d1.weight of shape \(2, 1, 3, 5\), .*: fork with"):
        create_run(home, SerialExecutor(), tall, "wrong", WarmStart(fork="wide"))
