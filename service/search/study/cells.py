"""What the study tries. Every seed is a sweep of its own, so that a study can be extended by further seeds."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from service.config import AveragingConfig
from service.search.sweep import Sweep

DEFAULT = AveragingConfig()

StudyName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
"""What a study may be called: its sweeps are called so too, with their seeds behind."""

STRATEGIES: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "plain": {"solo_share": 0.0, "outer_momentum": 0.0},
        "solo start": {"outer_momentum": 0.0},
        "default": {},
        "growing H": {"first_average_every": 1},
        "following H": {"target_dispersion": 3e-6},
        "rate by root K": {"lr_scaling": 0.5},
    }
)
"""What each strategy changes in the default way of averaging."""


@dataclass(frozen=True)
class Cell:
    """One way to average: a strategy, so many shards, an average every so many steps."""

    strategy: str
    shards: int
    every: int

    @property
    def averaging(self) -> dict[str, Any]:
        """What it sets in `TrainConfig.averaging`; the strategy's fields that are not changed are the default's."""
        # Without what came later, as studies on disk have it that were begun before. Their data set isn't small.
        options = DEFAULT.model_dump(exclude={"strategy", "solo_steps", "solo_momentum"}) | STRATEGIES[self.strategy]
        return options | {"shards": self.shards, "average_every": self.every}


APART, H = (2, 4, 8, 16), (30, 59, 118)

CELLS = (
    Cell("plain", 1, DEFAULT.average_every),  # the textbook: one process, plain SGD
    *(Cell(strategy, shards, every) for strategy in ("plain", "solo start") for shards in APART for every in H[1:]),
    *(Cell("default", shards, every) for shards in (1, *APART) for every in H),
    *(Cell(strategy, shards, H[-1]) for strategy in ("growing H", "following H", "rate by root K") for shards in APART),
)
PLATEAU_CELLS = tuple(Cell("default", shards, DEFAULT.average_every) for shards in (2, 4, 8))


@dataclass(frozen=True)
class Study:
    """A study of so many seeds; of `plateau_seeds` seeds the default strategy is tried alone.

    base: what all trainings share; what it leaves open is the textbook's step_config.
    """

    base: dict[str, Any]
    seeds: int = 5
    plateau_seeds: int = 20
    cells: tuple[Cell, ...] = CELLS
    plateau_cells: tuple[Cell, ...] = PLATEAU_CELLS

    def sweeps(self) -> list[tuple[str, tuple[Cell, ...], Sweep]]:
        """`(suffix of its id, its cells in the order of the trials, sweep)` for each seed, in order."""
        return [
            *((f"seed-{seed}", self.cells, self._sweep(seed, self.cells)) for seed in range(self.seeds)),
            *(
                (f"plateau-{seed}", self.plateau_cells, self._sweep(seed, self.plateau_cells))
                for seed in range(self.seeds, self.plateau_seeds)
            ),
        ]

    def _sweep(self, seed: int, cells: tuple[Cell, ...]) -> Sweep:
        over = {"averaging": [cell.averaging for cell in cells]}
        return Sweep.model_validate({"base": {**self.base, "seed": seed}, "over": over})
