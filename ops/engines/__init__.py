"""Choosing an engine for a network, and building it."""

from dataclasses import dataclass
from typing import Literal

from ops.backends.cuda import cudnn
from ops.engines.base import Engine
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig

EngineName = Literal["auto", "array", "simd", "cuda"]
DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Choice:
    """Which engine runs where, and why it was not a faster one (empty if it is the fastest)."""

    engine: Literal["array", "simd", "cuda"]
    device: Literal["cpu", "cuda"]
    why: str = ""


def choose(
    network: Network, step_config: StepConfig, *, engine: EngineName = "auto", device: DeviceName = "auto"
) -> Choice:
    """Settle what `auto` means on this machine for this network and such steps.

    Raises Unsupported where what was asked for by name can't be had: no GPU for `device="cuda"`,
    or a network that the named engine doesn't cover.
    """
    if engine == "simd" and device == "cuda":
        raise Unsupported("engine 'simd' runs on the CPU: use --device cpu, or --engine cuda")
    if engine == "cuda" and device == "cpu":
        raise Unsupported("engine 'cuda' runs on a GPU: use --device cuda, or --engine simd")
    on_gpu, reasons = _gpu_wanted(engine, device)
    if not on_gpu and step_config.precision != "float32":
        why = f": {reasons}" if reasons else ""
        raise Unsupported(f"precision {step_config.precision!r} needs a GPU{why}")
    place: Literal["cpu", "cuda"] = "cuda" if on_gpu else "cpu"
    fast: Literal["simd", "cuda"] = "cuda" if on_gpu else "simd"
    if engine != "array":
        refusal = _refusal(fast, network, step_config)
        if not refusal:
            return Choice(fast, place, reasons)
        if engine == fast:
            raise Unsupported(refusal)
        reasons = "; ".join(filter(None, (reasons, refusal)))
    if on_gpu and (without := cudnn.missing()):
        reasons = "; ".join(filter(None, (reasons, f"{without}, and convolutions are slow without it")))
    return Choice("array", place, reasons)


def build(choice: Choice, network: Network, step_config: StepConfig) -> Engine:
    """The engine that was chosen. Raises Unsupported if this machine can't run it."""
    if choice.engine == "simd":
        from ops.engines.simd import SimdEngine

        return SimdEngine(network, step_config)
    if choice.engine == "cuda":
        from ops.engines.cuda import CudaEngine

        return CudaEngine(network, step_config)
    from ops.engines.array import ArrayEngine

    return ArrayEngine(network, step_config, device=choice.device)


def _gpu_wanted(engine: EngineName, device: DeviceName) -> tuple[bool, str]:
    if device == "cpu" or engine == "simd":
        return False, ""
    from ops.engines.cuda.device import missing

    absent = missing()
    if device == "cuda" or engine == "cuda":
        if absent:
            raise Unsupported(f"no GPU can be used here: {absent}")
        return True, ""
    return not absent, absent


def _refusal(name: Literal["simd", "cuda"], network: Network, step_config: StepConfig) -> str:
    """Why the engine of that name can't run the network, or nothing."""
    try:
        if name == "simd":
            from ops.engines.simd import check

            check(network, step_config)
        else:
            from ops.engines import cuda
            from ops.engines.cuda.device import shared_memory

            cuda.check(network, step_config, shared_memory())
    except Unsupported as error:
        return str(error)
    return ""
