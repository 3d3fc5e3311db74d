"""Compare many trainings: every trial is a run of its own, several at a time share the cluster."""

from functools import partial
from threading import Event
from typing import Any

from prefect import flow
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import show_sweep
from flows.flow_runs import run_name
from flows.ingest import ingest_flow
from flows.logs import worker_logs
from flows.settings import task
from service.cluster.local_cluster import open_cluster
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig
from service.errors import SweepError
from service.home import Home
from service.search.sweep import (
    Parallel,
    Result,
    Sweep,
    SweepFolder,
    SweepName,
    Trial,
    promoted,
    run_rung,
    run_trial,
)

LOCAL = ClusterConfig()


@flow(name="sweep", description="Train with every combination of some settings, or with random draws, and compare.")
def sweep_flow(
    sweep: Sweep, name: SweepName = "", parallel: Parallel = 2, cluster: ClusterConfig = LOCAL
) -> list[Result]:
    """Compare many trainings.

    Args:
        sweep: What to try.
        name: An id for the sweep, else one is made up; one that exists is continued.
        parallel: How many trials share the cluster at a time.
        cluster: Where the work is done. None of this can change a model.
    """
    home = Home.from_environment()
    home.prepare()
    trials = sweep.plan()
    folder = SweepFolder.begin(home.sweeps / run_name(name), sweep)
    data = {dataset: ingest_flow(dataset) for dataset in sorted({trial.config.dataset for trial in trials})}

    suited = partial(suited_to, *((trial.config, data[trial.config.dataset]) for trial in trials))
    stop, failures = Event(), list[BaseException]()
    with worker_logs(), open_cluster(cluster, suited=suited) as opened, _runner(parallel) as runner:
        shared = {"home": home, "address": opened.address, "folder": folder, "stop": stop}
        try:
            for epochs in sweep.rungs():
                outcomes = _side_by_side(runner, shared, trials, epochs if sweep.halving else None)
                failures += [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
                if sweep.halving:
                    merits = {n: r.rungs[str(epochs)] for n, r in outcomes.items() if isinstance(r, Result) and r.rungs}
                    going_on = promoted(merits, sweep.halving)
                    trials = [trial for trial in trials if trial.number in going_on]
        finally:
            stop.set()
    if failures:
        raise SweepError(
            f"{len(failures)} of {len(sweep.plan())} trials failed, the first with: {failures[0]}; "
            f"sweep {folder.name} can be started again and goes on with those"
        )
    return list(folder.results().values())


def _side_by_side(
    runner: ThreadPoolTaskRunner[Result], shared: dict[str, Any], trials: list[Trial], epochs: int | None
) -> dict[int, Result | BaseException]:
    """What came of trials, by their numbers: of those that are done already too.

    epochs: with halving, how many they get; None takes them to their end.
    """
    folder: SweepFolder = shared["folder"]
    outcomes: dict[int, Result | BaseException] = {}
    pending = trials
    if epochs is None:
        outcomes |= folder.results()
        pending = [trial for trial in trials if trial.number not in outcomes]
    numbers: dict[PrefectFuture[Result], int] = {}
    for trial in pending:
        future: PrefectFuture[Result]
        if epochs is None:
            future = runner.submit(task(run_trial), {**shared, "trial": trial})
        else:
            future = runner.submit(task(run_rung), {**shared, "trial": trial, "epochs": epochs})
        numbers[future] = trial.number
    for future in as_completed(list(numbers)):
        outcomes[numbers[future]] = _shown(folder, future)
    return outcomes


def _shown(folder: SweepFolder, future: PrefectFuture[Result]) -> Result | BaseException:
    """What came of a trial, once the table of those that are done is renewed."""
    outcome: Result | BaseException = future.result(raise_on_failure=False)
    show_sweep(folder.name, list(folder.results().values()))
    return outcome


def _runner(parallel: int) -> ThreadPoolTaskRunner[Result]:
    return ThreadPoolTaskRunner(max_workers=parallel)
