"""Networks of the zoo in turns with PyTorch; here on a CPU, where PyTorch's way on a GPU is left out."""

from service.bench.gpu_networks import measure_networks, render


def test_networks_with_blocks_and_buffers_are_measured_and_end_in_the_same_bits():
    (speed,) = measure_networks(["resnet8"], batch=1, repetitions=1, device="cpu", precisions=["float32"])
    assert (speed.network, speed.precision, speed.batch, speed.way) == ("resnet8", "float32", 1, "ours")
    assert speed.same_bits
    assert render([speed]).splitlines()[-1].startswith("| resnet8 | float32 | 1 | ours |")
