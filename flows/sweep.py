"""Compare many trainings: every trial is a run of its own, several at a time share the cluster."""

from functools import partial
from threading import Event

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
from service.search.sweep import Parallel, Result, Sweep, SweepFolder, SweepName, run_trial

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
    done, stop, one = folder.results(), Event(), task(run_trial)
    with worker_logs(), open_cluster(cluster, suited=suited) as opened, _runner(parallel) as runner:
        shared = {"home": home, "address": opened.address, "folder": folder, "stop": stop}
        submitted: list[PrefectFuture[Result]] = [
            runner.submit(one, {**shared, "trial": trial}) for trial in trials if trial.number not in done
        ]
        try:
            outcomes = [_shown(folder, future) for future in as_completed(submitted)]
        finally:
            stop.set()
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        raise SweepError(
            f"{len(failures)} of {len(trials)} trials failed, the first with: {failures[0]}; "
            f"sweep {folder.name} can be started again and goes on with those"
        )
    return list(folder.results().values())


def _shown(folder: SweepFolder, future: PrefectFuture[Result]) -> Result | BaseException:
    """What came of a trial, once the table of those that are done is renewed."""
    outcome: Result | BaseException = future.result(raise_on_failure=False)
    show_sweep(folder.name, list(folder.results().values()))
    return outcome


def _runner(parallel: int) -> ThreadPoolTaskRunner[Result]:
    return ThreadPoolTaskRunner(max_workers=parallel)
