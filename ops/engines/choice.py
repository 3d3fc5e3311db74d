"""Choosing an engine for a network, and building it."""

from dataclasses import dataclass
from typing import Literal

from ops.engines.base import DeviceName, Engine
from ops.engines.table import fastest_first, find
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig

DEVICES: dict[DeviceName, str] = {"cuda": "a GPU", "cpu": "the CPU"}
"""Where steps can run, the faster place first."""


@dataclass(frozen=True)
class Choice:
    """Which engine runs where.

    Attributes:
        engine: Its name.
        device: Where it runs.
        why: Why it was not a faster one; empty if it is the fastest.
    """

    engine: str
    device: DeviceName
    why: str = ""


def choose(
    network: Network,
    step_config: StepConfig,
    *,
    engine: str = "auto",
    device: Literal["auto", DeviceName] = "auto",
) -> Choice:
    """Settle what `auto` means on this machine for this network and such steps.

    Args:
        network: What is to be trained.
        step_config: How its steps are taken.
        engine: The name of an engine; `auto` for the fastest that supports them.
        device: Where it is to run; `auto` for a GPU if there is one that can be used.

    Returns:
        The first engine by `speed_rank` that supports the network there.

    Raises:
        Unsupported: The engine or the device asked for can't be had, or no engine supports the network.
    """
    if engine == "auto":
        candidates, reasons = fastest_first()
    else:
        candidates, reasons = [find(engine)], []
        _check_device(candidates[0], device)
    place = _place(candidates, device, reasons)
    for candidate in candidates:
        if place not in candidate.devices:
            continue
        refusal = candidate.supports(network, step_config, place)
        if not refusal:
            reasons.append(candidate.slowdown(place))
            return Choice(candidate.name, place, "; ".join(filter(None, reasons)))
        reasons.append(refusal)
    raise Unsupported("; ".join(reasons))


def build(choice: Choice, network: Network, step_config: StepConfig) -> Engine:
    """The engine that was chosen. Raises Unsupported if this machine can't run it."""
    return find(choice.engine).build(network, step_config, choice.device)


def _check_device(engine: type[Engine], device: str) -> None:
    """Raises Unsupported where an engine named is not for the device named."""
    if device == "auto" or device in engine.devices:
        return
    there = next((other.name for other in fastest_first()[0] if device in other.devices), "auto")
    own = engine.devices[0]
    raise Unsupported(f"engine {engine.name!r} runs on {DEVICES[own]}: use --device {own}, or --engine {there}")


def _place(candidates: list[type[Engine]], device: str, reasons: list[str]) -> DeviceName:
    """The first device that can be used and that one of the engines is for; adds why others can't be used."""
    for place in DEVICES:
        if device not in ("auto", place) or not any(place in engine.devices for engine in candidates):
            continue
        absent = _absent(place)
        if not absent:
            return place
        reasons.append(absent)
    raise Unsupported(f"no GPU can be used here: {'; '.join(reasons)}")


def _absent(device: DeviceName) -> str:
    """Why a device can't be used here, or nothing."""
    if device == "cpu":
        return ""
    from ops.engines.cuda.device import missing

    return missing()
