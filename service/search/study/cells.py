"""What the study tries. Every seed is a sweep of its own, so that a study can be extended by further seeds."""

from dataclasses import dataclass, replace
from math import ceil
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from service.config import AveragingConfig
from service.search.sweep import Sweep
from service.training.recommended import MANY, MANY_EVERY, OUTER_MOMENTUM, SEVERAL_EVERY, SOLO_SHARE

DEFAULT = AveragingConfig()

StudyName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
"""What a study may be called: its sweeps are called so too, with their seeds behind."""

LATER = {"strategy", "solo_steps", "final_average", "solo_loss"}
"""Options that came later than studies did; where they have their defaults they are left out."""

STRATEGIES: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "plain": {"solo_share": 0.0, "outer_momentum": 0.0},
        "default": {"final_average": "plain"},
        "start by the loss": {
            "final_average": "plain",
            "solo_share": SOLO_SHARE,
            "solo_loss": 1.5,
            "outer_momentum": OUTER_MOMENTUM,
        },
    }
)
"""What each strategy changes in the network's way of averaging. But for the textbook's, the last average is plain."""

SMALL_NORM: dict[str, Any] = {
    "name": "small-norm",
    "initializer": "he",
    "layers": [
        *(
            {"conv2d": {"channels": 8, "kernel_size": 5, "padding": 2}},
            "batchnorm2d",
            "relu",
            {"maxpool2d": {"size": 2}},
        ),
        *({"conv2d": {"channels": 16, "kernel_size": 5}}, "batchnorm2d", "relu", {"maxpool2d": {"size": 2}}),
        *("flatten", {"dense": {"units": 84}}, "relu", {"dense": {"units": "classes"}}),
    ],
}
"""A network with batch norm, of about LeNet's size."""

ANNEALED: dict[str, Any] = {
    "batch_size": 256,
    "optimizer": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "schedule": "one-cycle"},
    "averaging": {"average_every": 118, "solo_share": 0.15, "outer_momentum": 0.5},
}
"""The recipe of `lenet-relu`, shorter and without augmentation; for networks without sigmoids."""

NETWORKS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "lenet": {},
        "lenet-relu": {"model": "lenet-relu", "augment": {"flip": False, "shift": 0}, **ANNEALED},
        "small-norm": {"model": SMALL_NORM, **ANNEALED},
    }
)
"""What the trainings of each network share beside the study's base; all but the first take half of its epochs."""


@dataclass(frozen=True)
class Cell:
    """One way to average: a strategy, so many shards, an average every so many steps; of which network."""

    strategy: str
    shards: int
    every: int
    network: str = "lenet"

    @property
    def averaging(self) -> dict[str, Any]:
        """What it sets in `TrainConfig.averaging`; what the strategy doesn't change is the network's."""
        of_network = NETWORKS[self.network].get("averaging", {})
        options = DEFAULT.model_dump(exclude=LATER) | of_network | STRATEGIES[self.strategy]
        return options | {"shards": self.shards, "average_every": self.every}

    @property
    def control(self) -> "Cell":
        """One shard, with everything else the same: what averaging costs shows beside it."""
        return replace(self, shards=1)


SHARDS, H = (1, 2, 4, 8, 16, 32), 118

CELLS = (
    Cell("plain", 1, H),  # the textbook: one process, plain SGD
    *(Cell("start by the loss", shards, SEVERAL_EVERY) for shards in SHARDS[:4]),
    *(Cell("start by the loss", shards, MANY_EVERY) for shards in (1, *SHARDS[3:])),
    *(Cell("default", shards, H) for shards in SHARDS),
    *(Cell("default", shards, H, network) for network in ("lenet-relu", "small-norm") for shards in SHARDS),
)
PLATEAU_CELLS = tuple(
    Cell("start by the loss", shards, MANY_EVERY if shards > MANY else SEVERAL_EVERY) for shards in SHARDS
)
"""What `atelier train --shards K` picks, and the same for 4; see `service.training.recommended`."""


@dataclass(frozen=True)
class Study:
    """A study of so many seeds; of `plateau_seeds` seeds some cells are tried alone.

    base: what all trainings share; what it leaves open is the network's, or the textbook's.
    """

    base: dict[str, Any]
    seeds: int = 5
    plateau_seeds: int = 20
    cells: tuple[Cell, ...] = CELLS
    plateau_cells: tuple[Cell, ...] = PLATEAU_CELLS

    def sweeps(self) -> list[tuple[str, tuple[Cell, ...], Sweep]]:
        """`(suffix of its id, its cells in the order of the trials, sweep)` for each network and seed, in order."""
        networks = list(dict.fromkeys(cell.network for cell in self.cells))
        of_network = {name: tuple(cell for cell in self.cells if cell.network == name) for name in networks}
        found = [
            (f"{'seed' if name == 'lenet' else name}-{seed}", cells, self._sweep(name, seed, cells))
            for name, cells in of_network.items()
            for seed in range(self.seeds)
        ]
        alone = [(f"plateau-{seed}", seed) for seed in range(self.seeds, self.plateau_seeds)]
        cells = self.plateau_cells
        return found + [(suffix, cells, self._sweep(cells[0].network, seed, cells)) for suffix, seed in alone]

    def _sweep(self, network: str, seed: int, cells: tuple[Cell, ...]) -> Sweep:
        base = {**self.base, **NETWORKS[network], "seed": seed}
        if NETWORKS[network]:
            base["epochs"] = ceil(self.base["epochs"] / 2)
        averaging = [cell.averaging for cell in cells]
        return Sweep.model_validate({"base": base | {"averaging": {}}, "over": {"averaging": averaging}})
