"""The study of averaging: a sweep for each seed, then tables and pictures. Started again, it goes on."""

from pathlib import Path

from prefect import flow

from flows.sweep import sweep_flow
from service.config import ClusterConfig
from service.data import describe
from service.home import Home
from service.search.study import Study, StudyName, outcomes_of, write_report
from service.search.sweep import SweepFolder

LOCAL = ClusterConfig()


@flow(name="study", description="Compare ways of averaging over several seeds.")
def study_flow(study: Study, name: StudyName = "study", cluster: ClusterConfig = LOCAL) -> Path:
    """Run what is not done yet, and keep tables and pictures up to date. Returns the folder with these.

    One training at a time, so that its wall time is its own.

    Args:
        study: What to try.
        name: An id; trainings that were done under it are not done again.
        cluster: Where the work is done. None of this can change a figure but the seconds.
    """
    home = Home.from_environment()
    folder = home.root / "studies" / name
    for suffix, cells, sweep in study.sweeps():
        sweep_id = f"{name}-{suffix}"
        if len(SweepFolder(home.sweeps / sweep_id).results()) < len(cells):
            sweep_flow(sweep, sweep_id, 1, cluster)
            _report(home, name, study, folder)
    _report(home, name, study, folder)  # where it was stopped after the last training
    return folder


def _report(home: Home, name: str, study: Study, folder: Path) -> None:
    classes = describe(home.store(str(study.base["dataset"]))).classes
    write_report(outcomes_of(home, name, study), study, classes, folder)
