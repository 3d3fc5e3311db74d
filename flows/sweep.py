"""Compare many trainings: every trial is a run of its own, several at a time share the cluster."""

from collections.abc import Callable
from functools import partial
from threading import Event

from prefect import flow
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import show_sweep, show_sweep_report
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
    Step,
    Sweep,
    SweepFolder,
    SweepName,
    next_steps,
    run_rung,
    run_trial,
    write_report,
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
    stop = Event()
    with worker_logs(), open_cluster(cluster, suited=suited) as opened, _runner(parallel) as runner:
        shared = {
            "home": home,
            "address": opened.address,
            "folder": folder,
            "stop": stop,
            "data_memory": cluster.data_memory,
        }

        def submit(step: Step) -> PrefectFuture[Result]:
            number, epochs = step
            what = {**shared, "trial": trials[number]}
            if sweep.halving:
                return runner.submit(task(run_rung), {**what, "epochs": epochs})
            return runner.submit(task(run_trial), what)

        try:
            failures = _all_steps(sweep, folder, submit, parallel)
        finally:
            stop.set()
    show_sweep_report(folder.name, write_report(folder, sweep))
    if failures:
        raise SweepError(
            f"{len(failures)} of {len(trials)} trials failed, the first with: {next(iter(failures.values()))}; "
            f"sweep {folder.name} can be started again and goes on with those"
        )
    return list(folder.results().values())


def _all_steps(
    sweep: Sweep, folder: SweepFolder, submit: Callable[[Step], PrefectFuture[Result]], parallel: int
) -> dict[int, BaseException]:
    """Do what there is to do until nothing is left, so many steps at a time; what went wrong, by trial."""
    failures: dict[int, BaseException] = {}
    doing: dict[PrefectFuture[Result], Step] = {}
    while True:
        for step in next_steps(sweep, folder, failures, doing.values())[: parallel - len(doing)]:
            doing[submit(step)] = step
        if not doing:
            return failures
        done = next(as_completed(list(doing)))
        trial, _ = doing.pop(done)
        outcome: Result | BaseException = done.result(raise_on_failure=False)
        if isinstance(outcome, BaseException):
            failures[trial] = outcome
        show_sweep(folder.name, list(folder.results().values()))
        write_report(folder, sweep)


def _runner(parallel: int) -> ThreadPoolTaskRunner[Result]:
    return ThreadPoolTaskRunner(max_workers=parallel)
