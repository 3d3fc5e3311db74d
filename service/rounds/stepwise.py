"""Steps that one task takes alone while the strategy updates the state after each of them.

It is what averaging after every step comes to with this strategy, without sending anything: the outer momentum works
from the first step on.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ops.engines.base import StepResult, Steps
from service.rounds.averaging import updated
from service.rounds.job import Job, engine_of
from service.rounds.strategies.base import Average
from service.rounds.train_state import TrainState


def stepwise(job: Job, start: TrainState, steps: Steps, data: Any) -> tuple[StepResult, TrainState]:
    """Take steps one by one, each followed by the strategy's update.

    Args:
        job: the training.
        start: the state that the first step begins with.
        steps: the steps, with whole batches.
        data: the training examples, as the engine takes them.

    Returns:
        What came of the steps, with the replica after the last update; and the state `start` with what the strategy
        keeps after it, which is where an average finds it.
    """
    engine, state = engine_of(job), start
    examples, loss, correct = 0, 0.0, 0
    for step in _one_by_one(steps):
        result = engine.run(state.replica, data, step)
        average = Average(result.replica.theta.astype(np.float64), result.replica.velocity)
        state = updated(state, average, job.strategy, job.network.num_parameters)
        examples, loss, correct = examples + result.examples, loss + result.loss, correct + result.correct
    return StepResult(state.replica, examples, loss, correct), replace(start, outer=state.outer)


def _one_by_one(steps: Steps) -> Iterator[Steps]:
    for number in range(len(steps)):
        low, high = steps.offsets[number : number + 2]
        yield replace(
            steps,
            examples=steps.examples[low:high],
            offsets=np.array([0, high - low], np.int32),
            rates=steps.rates[number : number + 1],
        )
