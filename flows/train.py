"""The main job: data, rounds, evaluation, a model in the registry."""

from functools import partial

from prefect import flow, get_run_logger

from flows.artifacts import TrainingView, show_report
from flows.flow_runs import continues, mark_cancelled, run_name
from flows.logs import worker_logs
from flows.settings import gallery_url, task
from service.cluster.dask_executor import open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig
from service.data import ingest
from service.home import Home
from service.registry import Registry
from service.rounds.plan import plan_for
from service.runs import find_run, run_at
from service.tracking.process import tracked
from service.tracking.registry import check_trackers
from service.training.evaluate import evaluate_trained
from service.training.history import epochs_of, scores_of
from service.training.publish import Published, publish_run
from service.training.report import markdown_report
from service.training.resume import resume_run
from service.training.start import start_run
from service.training.warm_start import WarmStart

TRAINING, LOCAL = TrainConfig(), ClusterConfig()


@flow(
    name="train",
    description="Train a network on the cluster, measure it, and publish it as a model.",
    on_cancellation=[mark_cancelled],
)
def train_flow(
    config: TrainConfig = TRAINING,
    cluster: ClusterConfig = LOCAL,
    run: str = "",
    resume: bool = False,
    fork: str = "",
    init: str = "",
    extend: str = "",
) -> Published:
    """Train a network. What is left out of `config` comes from the preset of its network.

    Started again after a crash, the same flow run goes on from the newest checkpoint.

    Args:
        config: What to train. With the data and what it starts from, this alone decides the model.
        cluster: Where the work is done. None of this can change the model.
        run: A name for the run, or the run to continue; empty makes one up.
        resume: Continue the run of that name, as it was started; the configuration above is not looked at.
        fork: Start from another run's state, RUN or RUN:CHECKPOINT, instead of fresh parameters.
        init: Start from the weights of a model, NAME or NAME:VERSION, or of a safetensors file.
        extend: Go on with a finished run; the configuration is its own, with more epochs and the first of the new ones.
    """
    home = Home.from_environment()
    home.prepare()
    run = run_name(run)
    chosen = find_run(home.runs, run).config() if resume else config
    begun = resume or continues(home.runs, run, chosen)
    if not begun:
        check_trackers(chosen.track)
    data = task(ingest)(home, dataset=chosen.dataset, progress=get_run_logger().info)
    found = run_at(home.runs, run)
    before, scores = (epochs_of(found), scores_of(found)) if begun else ([], {})
    view = TrainingView(run, plan_for(chosen, data.train), before, scores)
    with tracked(home, run, chosen) as track_model:
        with worker_logs(), open_executor(cluster, suited=partial(suited_to, (chosen, data))) as executor:
            if begun:
                trained = task(resume_run)(home, executor, run, view)
            else:
                trained = task(start_run)(home, executor, run, chosen, view, WarmStart(fork, init, extend))
            evaluations = task(evaluate_trained)(home, executor, trained)
        published = task(publish_run)(home, trained, evaluations)
        model = Registry(home.models).get(published.model, str(published.version))
        track_model(model.label)
    show_report(run, markdown_report(model, evaluations[trained.epoch], gallery_url()))
    return published
