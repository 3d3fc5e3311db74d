"""How a run that was begun before goes on, or is looked at: as it was started, on the data it was started with."""

from dataclasses import replace

from ops.engines import Choice
from ops.engines.fingerprint import Fingerprint
from service.data import describe
from service.errors import RunError
from service.home import Home
from service.networks.building import recorded_network
from service.rounds.executor import Executor
from service.rounds.job import Job, network_for
from service.runs import Run, find_run
from service.training.disk import explained_disk_errors
from service.training.loop import Trained, Watch, run_to_end


def resume_run(home: Home, executor: Executor, run: str, watch: Watch) -> Trained:
    """Take a run to its end from wherever it is.

    Args:
        home: where it lies.
        executor: computes its rounds.
        run: its name.
        watch: called with each line that its log gets.

    Raises:
        NotFound: there is no such run.
        AtelierError: see `reopen_run` and `service.training.loop.advance`.
        RunError: the disk is full, or can't be written.
    """
    with explained_disk_errors(home, run):
        found = find_run(home.runs, run)
        return run_to_end(executor, found, reopen_run(home, executor, found), watch)


def reopen_run(home: Home, executor: Executor, run: Run) -> Job:
    """The job of a run, once the workers are known to have what it began with.

    Raises:
        RunError: the data changed since.
        InvalidInput: a worker can't run the engine.
        ClusterError: a worker can't see the data, or all workers would compute other bits than the run has.
    """
    job = recorded_job(home, run)
    pinned = job.config.model_copy(update={"engine": job.choice.engine, "device": job.choice.device})
    executor.choose_engine(pinned, job.network, job.step_config, job.data.path)
    fingerprint = executor.match_fingerprint(job.choice, job.fingerprint)
    return replace(job, fingerprint=fingerprint, data_memory=executor.data_memory)


def recorded_job(home: Home, run: Run) -> Job:
    """The job of a run, as it was recorded. Raises RunError where the data or the network changed since."""
    facts, config = run.facts(), run.config()
    data = describe(home.store(config.dataset))
    network = facts.get("network")  # runs of before have none
    if data.digest != facts["data"]["digest"]:
        raise RunError(
            f"run {run.name} was trained on data {facts['data']['digest'][:12]}, "
            f"but {data.path} now holds {data.digest[:12]}"
        )
    if network and network != recorded_network(network_for(config, data)):
        raise RunError(
            f"run {run.name} was begun with a network {config.network_name} that is another one by now: "
            "the code of the package has changed since"
        )
    fingerprint = Fingerprint(**facts["fingerprint"]) if "fingerprint" in facts else None
    return Job(config, data, Choice(**facts["engine"]), fingerprint, tuple(facts.get("class_weights", ())))
