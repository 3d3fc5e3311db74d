"""The study's plan and its report, without training anything."""

import json
from math import log
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.config import from_preset
from service.search.study import CELLS, Cell, Outcome, Study, write_report
from service.search.study.report import cells_table, plateau_table, summary

BASE = {"model": "lenet", "dataset": "fashion-mnist", "epochs": 10, "holdout": 5000}


def outcome(cell: Cell, seed: int, loss: float, seconds: float | None = 2.0) -> Outcome:
    return Outcome(cell, seed, loss, 0.8, 0.81, 0.79, 9.0, seconds)


def test_every_number_of_shards_is_tried_with_every_network_and_none_without_its_control():
    for network, strategy in (
        ("lenet", "default"),
        ("lenet", "start by the loss"),
        *((network, "default") for network in ("lenet-relu", "small-norm")),
    ):
        tried = {cell.shards for cell in CELLS if (cell.network, cell.strategy) == (network, strategy)}
        assert tried == {1, 2, 4, 8, 16, 32}
    assert len(set(CELLS)) == len(CELLS)
    assert {cell.control for cell in CELLS} <= set(CELLS)


def test_a_larger_study_goes_on_with_the_trainings_of_a_smaller_one():
    small, large = ({name: sweep for name, _, sweep in Study(BASE, seeds, 0).sweeps()} for seeds in (2, 5))
    assert small.items() <= large.items()
    assert len(large) == 3 * 5


def test_trainings_are_the_textbook_s_but_for_the_way_of_averaging():
    study = Study(BASE, seeds=2, plateau_seeds=4)
    seeds = []
    for _, cells, sweep in study.sweeps():
        for trial, cell in zip(sweep.plan(), cells, strict=True):
            assert (trial.config.averaging.shards, trial.config.averaging.average_every) == (cell.shards, cell.every)
            seeds.append((trial.config.seed, cell))
            assert trial.config.network_name == cell.network
            if cell.network == "lenet":
                assert trial.config.model_copy(update={"averaging": None}) == from_preset(
                    {**BASE, "seed": trial.config.seed}
                ).model_copy(update={"averaging": None})
            else:
                assert (trial.config.epochs, trial.config.optimizer.schedule) == (5, "one-cycle")
                assert (trial.config.batch_size, trial.config.averaging.outer_momentum) == (256, 0.5)
    assert len(set(seeds)) == len(seeds) == 2 * len(CELLS) + 2 * len(study.plateau_cells)
    plain = next(cell for cell in CELLS if cell.strategy == "plain").averaging
    assert (plain["outer_momentum"], plain["solo_share"]) == (0, 0)


def test_means_come_with_the_sample_deviation_and_only_where_every_seed_has_the_figure():
    cell = CELLS[0]
    losses = np.random.default_rng(3).uniform(0.3, 0.6, 5)
    outcomes = [outcome(cell, seed, loss, None if seed == 4 else 2.0) for seed, loss in enumerate(losses)]
    assert summary(outcomes, "train_loss") == pytest.approx((losses.mean(), losses.std(ddof=1)))
    assert summary(outcomes[:1], "train_loss") == (losses[0], 0)
    assert summary(outcomes, "seconds_to_target") is None
    (line,) = cells_table(outcomes, Study(BASE)).splitlines()[2:]
    assert f"{losses.mean():.3f} ± {losses.std(ddof=1):.3f}" in line
    assert line.endswith("| not by all |  |  | 5 |")


def test_every_row_has_the_difference_to_one_shard_with_the_same_seeds_beside_it():
    one, four = Cell("default", 1, 118), Cell("default", 4, 118)
    alone = [outcome(one, seed, loss) for seed, loss in enumerate((0.3, 0.4, 0.9))]
    outcomes = [*alone, *(outcome(four, seed, loss) for seed, loss in enumerate((0.35, 0.41)))]
    *_, last = cells_table(outcomes, Study(BASE)).splitlines()
    assert last.endswith("| +0.030 | +0.000 | 2 |")


def test_a_run_near_the_loss_of_guessing_counts_as_stuck():
    study = Study(BASE)
    cell = study.plateau_cells[0]
    outcomes = [outcome(cell, seed, 0.4) for seed in range(19)]
    assert "| 1 | 19 | 0.400 | 0 |" in plateau_table(outcomes, study, 10)
    outcomes.append(outcome(cell, 19, log(10) - 0.01))
    assert "| 1 | 20 | 2.293 | 1 |" in plateau_table(outcomes, study, 10)


def test_a_report_has_tables_pictures_and_every_outcome(tmp_path: Path):
    outcomes = [outcome(cell, seed, 0.4 + 0.01 * seed) for cell in CELLS for seed in (0, 1)]
    write_report(outcomes, Study(BASE), 10, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "outcomes.json").read_text())
    assert [(one["cell"]["shards"], one["seed"]) for one in told] == [(o.cell.shards, o.seed) for o in outcomes]
    assert (tmp_path / "out" / "tables.md").read_text().count("0.405 ± 0.007") == len(CELLS)
    for name in ("train_loss", "test_accuracy", "seconds_to_target"):
        picture = np.asarray(Image.open(tmp_path / "out" / f"{name}.png").convert("RGB"))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
