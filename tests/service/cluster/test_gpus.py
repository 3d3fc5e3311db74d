"""Which GPUs there are, and a GPU for each process. The machine's own tool is one of ours; nothing here needs a GPU."""

import os
import subprocess
import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from service.cluster import local_workers
from service.cluster.gpus import claim, environment_of, visible_gpus
from service.cluster.local_cluster import open_cluster
from service.cluster.local_workers import LocalWorkers, suited_to
from service.config import ClusterConfig
from service.data import describe
from service.home import Home
from tests.jobs import small_job

TWO = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa1111-0000-0000-0000-000000000000)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb2222-0000-0000-0000-000000000000)
"""
SLICED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-0000-0000-0000-000000000000)
  MIG 1g.5gb      Device  0: (UUID: MIG-cccc3333-0000-0000-0000-000000000000)
  MIG 1g.5gb      Device  1: (UUID: MIG-dddd4444-0000-0000-0000-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb2222-0000-0000-0000-000000000000)
"""
FIRST, SECOND = (line.split("UUID: ")[1].rstrip(")") for line in TWO.splitlines())


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that makes `nvidia-smi -L` say something, or fail."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def say(text: str | None) -> None:
        program = folder / "nvidia-smi"
        program.write_text(
            "#!/bin/sh\nexit 9\n" if text is None else f'#!/bin/sh\n[ "$1" = -L ] && cat <<END\n{text}END\n'
        )
        program.chmod(0o755)

    return say


def test_every_gpu_is_found_by_its_uuid(tool):
    tool(TWO)
    assert visible_gpus() == (FIRST, SECOND)


def test_a_divided_gpu_counts_as_its_slices(tool):
    tool(SLICED)
    slices = [f"MIG-{letters}-0000-0000-0000-000000000000" for letters in ("cccc3333", "dddd4444")]
    assert visible_gpus() == (*slices, SECOND)


@pytest.mark.parametrize(
    ("outer", "seen"),
    [
        ("1", ("1",)),
        ("1, 0", ("1", "0")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,7,1", ("0",)),
        ("GPU-bbbb", ("GPU-bbbb",)),
        ("GPU-eeee", ()),
    ],
)
def test_gpus_hidden_from_the_command_are_hidden_from_its_workers(tool, monkeypatch, outer: str, seen: tuple[str, ...]):
    tool(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    assert visible_gpus() == seen


def test_without_the_tool_cuda_is_asked_in_a_process_of_its_own(tool, tmp_path: Path, monkeypatch):
    tool(None)
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text(
        "from types import SimpleNamespace as N\ncuda = N(runtime=N(getDeviceCount=lambda: 2))\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert visible_gpus() == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3,none")
    assert visible_gpus() == ("5", "3")
    (tmp_path / "cupy" / "__init__.py").write_text("raise ImportError\n")
    assert visible_gpus() == ()


def test_a_local_cluster_has_a_worker_process_for_each_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "outer")
    with open_cluster(ClusterConfig(), suited=lambda: LocalWorkers((FIRST, SECOND))) as cluster:
        found = cluster.client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
        assert sorted(found.values()) == [FIRST, SECOND]
        assert set(cluster.client.nthreads().values()) == {1}
        assert len(set(cluster.client.run(os.getpid).values()) - {os.getpid()}) == 2
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "outer"


def test_more_workers_than_gpus_share_them_evenly():
    chosen = [environment_of(number, (FIRST, SECOND))["CUDA_VISIBLE_DEVICES"] for number in range(4)]
    assert chosen == [FIRST, SECOND, FIRST, SECOND]


def test_gpus_are_for_trainings_that_may_take_one(home: Home, tmp_path: Path, tool, monkeypatch):
    tool(TWO)
    job = small_job(home, tmp_path / "idx")
    data = describe(home.store("blobs"))

    def suited(*devices: tuple[str, str]) -> LocalWorkers:
        changes = ({"engine": engine, "device": device} for engine, device in devices)
        return suited_to(*((job.config.model_copy(update=change), data) for change in changes))

    monkeypatch.setattr(local_workers, "find_spec", lambda name: ModuleSpec(name, None))
    for training in ("auto", "auto"), ("auto", "cuda"), ("cuda", "auto"), ("array", "cuda"):
        assert suited(training) == LocalWorkers((FIRST, SECOND))
    assert suited(("simd", "auto")) == suited(("auto", "cpu")) == LocalWorkers(are_threads=True)
    assert suited(("array", "cpu")) == LocalWorkers()
    assert suited(("simd", "auto"), ("auto", "auto")) == LocalWorkers((FIRST, SECOND))
    monkeypatch.setattr(local_workers, "find_spec", lambda name: None)
    assert suited(("auto", "auto")) == LocalWorkers(are_threads=True)


def test_containers_claim_a_gpu_each_and_share_them_evenly_until_they_end(tool, tmp_path: Path):
    tool(TWO)
    command = [sys.executable, "-m", "service.cluster.gpus", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES; read line"]
    environment = os.environ | {"ATELIER_HOME": str(tmp_path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running: list[subprocess.Popen] = []
    try:

        def started() -> str:
            running.append(subprocess.Popen(command, env=environment, **pipes))
            return running[-1].stdout.readline().strip()

        assert Counter(started() for _ in range(4)) == {FIRST: 2, SECOND: 2}
        gone = running[1]
        gone.kill()
        gone.wait()
        assert started() == SECOND
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_a_container_without_a_gpu_ends_with_one_line(tool, tmp_path: Path):
    tool("")
    done = subprocess.run(
        [sys.executable, "-m", "service.cluster.gpus", "true"],
        env=os.environ | {"ATELIER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: no GPU is to be seen here")
    assert done.stderr.count("\n") == 1


def test_slices_named_with_slashes_can_be_claimed(tmp_path: Path):
    assert claim(["MIG-GPU-aaaa/1/0"], tmp_path) == "MIG-GPU-aaaa/1/0"
