"""One training in every grain, and with a worker killed in mid-span: `python -m tests.gpu.grains` compares digests.

Whatever a task covers, one shard of one round or all shards of many, the bits are the same. Workers are processes, on a
GPU all on the first one.
"""

import argparse
import os
import signal
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from service.cluster import span_window
from service.cluster.dask_executor import DaskExecutor, Grain, open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig, from_preset
from service.data import describe
from service.home import Home
from service.runs import new_run_id
from service.training.loop import advance
from service.training.start import create_run

KILLED_AFTER = 5


@dataclass(frozen=True)
class Case:
    """One way to have the same training computed.

    Attributes:
        name: for people.
        workers: how many processes.
        grain: see `DaskExecutor`.
        max_rounds: of a span.
        is_killed: whether a worker is killed once some rounds are logged, while it computes the next ones.
    """

    name: str
    workers: int
    grain: Grain
    max_rounds: int = span_window.MAX_ROUNDS
    is_killed: bool = False


CASES = (
    Case("all shards of many rounds", 1, "span"),
    Case("all shards of one round", 1, "span", max_rounds=1),
    Case("one shard of one round", 1, "shard"),
    Case("one shard of one round, two workers", 2, "shard"),
    Case("all shards of many rounds, killed in mid-span", 1, "span", is_killed=True),
    Case("one shard of one round, two workers, one killed", 2, "shard", is_killed=True),
)


@dataclass(frozen=True)
class Outcome:
    """What a case came to.

    Attributes:
        digest: of the last round.
        rounds: how many there were.
        disturbed: how many times something happened to the cluster.
        seconds: from the start of the run to its end.
    """

    digest: str
    rounds: int
    disturbed: int
    seconds: float


def trained(home: Home, config: TrainConfig, case: Case) -> Outcome:
    """Train as a case says, on a local cluster of its own."""
    data = describe(home.store(config.dataset))
    span_window.MAX_ROUNDS = case.max_rounds
    local = ClusterConfig(workers=case.workers, worker_type="processes")
    with open_executor(local, suited=partial(suited_to, (config, data))) as executor:
        executor.grain = case.grain
        began = perf_counter()
        folder, job = create_run(home, executor, config, f"grain-{new_run_id()}")
        digests: dict[int, str] = {}
        disturbed = 0
        with closing(advance(executor, folder, job)) as entries:
            for entry in entries:
                disturbed += entry["kind"] == "disturbed"
                if entry["kind"] == "round":
                    digests[entry["round"]] = entry["digest"]
                    if case.is_killed and len(digests) == KILLED_AFTER:
                        _kill_worker(executor)
        return Outcome(digests[max(digests)], len(digests), disturbed, perf_counter() - began)


def main(words: Sequence[str] | None = None) -> int:
    """Print each case with its digest. Returns 0 where all are the same, and each kill was noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="lenet")
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=30)
    options = vars(parser.parse_args(words))
    home, config = Home.from_environment(), from_preset({**options, "averaging": {"average_every": 59}})
    outcomes = {case: trained(home, config, case) for case in CASES}
    for case, outcome in outcomes.items():
        print(
            f"{outcome.digest[:16]}  {outcome.rounds} rounds in {outcome.seconds:6.2f} s, "
            f"disturbed {outcome.disturbed} times: {case.name}"
        )
    are_same = len({outcome.digest for outcome in outcomes.values()}) == 1
    are_noticed = all(outcome.disturbed > 0 for case, outcome in outcomes.items() if case.is_killed)
    print("the same digest" if are_same else "NOT the same digest", "" if are_noticed else "a kill was NOT noticed")
    return 0 if are_same and are_noticed else 1


def _kill_worker(executor: DaskExecutor) -> None:
    pids = executor.cluster.ask_workers(os.getpid)
    victim = pids[min(pids)]
    assert isinstance(victim, int), victim
    os.kill(victim, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
