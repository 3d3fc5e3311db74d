"""How the examples of some steps come into a process's memory: all of a data set, or the chunks that the steps need."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Steps
from service.data.resident_images import ResidentImages
from service.rounds.job import Job, engine_of, training_data
from service.rounds.plan import Round
from service.rounds.steps import steps_of
from service.rounds.worker_cache import process_cache


@contextmanager
def examples_for(job: Job, round_: Round, shards: Sequence[int], steps: Sequence[Steps]) -> Iterator[Any]:
    """The training examples, as the engine takes them, of which those of some steps are in memory within the block.

    What the same shards need in the next round is read meanwhile.

    Args:
        job: the training.
        round_: the round that the steps are of.
        shards: the shards whose steps they are.
        steps: the steps.

    Raises:
        DataError: a chunk of the data set is missing or damaged.
    """
    resident = resident_images(job)
    if resident is None:
        yield training_data(job)
        return
    with resident.pinned(np.concatenate([each.examples for each in steps])):
        resident.prefetch(lambda: _needed_next(job, round_, shards))
        yield process_cache().resident_data(job.choice, job.network, job.step_config, job.data, resident)


def resident_images(job: Job) -> ResidentImages | None:
    """This process's chunks of the training images; None where the job needs all of them at once.

    That is so where they are shuffled together, where the store has no chunks that can be checked one by one, and
    where the engine takes a copy of them: to a GPU, for instance.
    """
    if job.plan.windows is None or not job.data.is_chunked or job.choice.device != "cpu":
        return None
    if not _reads_in_place(job):
        return None
    return process_cache().resident(job.data, job.data_memory * 1_000_000)


def _reads_in_place(job: Job) -> bool:
    """Whether the engine's data are the images that it was given, and no copy; found out with one image."""
    image = np.zeros((1, *job.data.input_shape), np.uint8)
    loaded = engine_of(job).load(image, np.zeros(1, np.uint8))
    images = getattr(loaded, "images", None)
    return isinstance(images, np.ndarray) and np.may_share_memory(images, image)


def _needed_next(job: Job, round_: Round, shards: Sequence[int]) -> Iterable[NDArray[np.int32]]:
    """The examples of the same shards in the next round, as far as it can be foreseen."""
    following = job.plan.round_after(round_)
    if following is not None and not job.plan.is_within_window(round_, following):
        for shard in shards:
            if shard < following.shards:
                yield steps_of(job, following, shard).examples
