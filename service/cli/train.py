"""`atelier train`"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from service.cli.interruption import soon
from service.cli.main import Context
from service.cli.names import run_names
from service.cli.networks import with_network
from service.cli.options import in_options, nested_options, options_of, validated
from service.cli.output import counted, show
from service.cli.progress import progress
from service.config import ClusterConfig, TrainConfig, from_preset, overlaid
from service.data import describe, label_counts
from service.data.catalog import FASHION_MNIST
from service.errors import DataError, InvalidInput
from service.home import check_text
from service.rounds.class_weights import class_weights
from service.rounds.strategies.registry import unread_options
from service.runs import find_run, new_run_id, run_at
from service.training.extension import extended_config
from service.training.guessing import Guessing
from service.training.preflight import check_training
from service.training.publish import Published
from service.training.recommended import recommended_averaging
from service.training.warm_start import FRESH, WarmStart


@click.command()
@options_of(TrainConfig, presets=True)
@options_of(ClusterConfig)
@click.option("--resume", metavar="RUN", shell_complete=run_names, help="Continue this run instead of starting one.")
@click.option(
    "--fork",
    metavar="RUN[:N]",
    shell_complete=run_names,
    help="Start from another run's newest checkpoint, or from the one after N rounds.",
)
@click.option("--init", metavar="FILE|MODEL", help="Start from the weights of a safetensors file, or of a model.")
@click.option(
    "--extend",
    metavar="RUN",
    shell_complete=run_names,
    help="Go on with a finished run, as it was trained, until it has --epochs in all.",
)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def train(
    context: Context,
    resume: str | None,
    fork: str | None,
    init: str | None,
    extend: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a network, measure it, and publish it as a model."""
    chosen = nested_options(TrainConfig, options)
    warm_start = WarmStart(fork or "", init or "", extend or "")
    for name, value in asdict(warm_start).items():
        check_text(f"--{name}", value)
    if resume and (chosen or warm_start != FRESH):
        excluded = [*_flags(chosen), *(f"--{name}" for name, value in asdict(warm_start).items() if value)]
        raise InvalidInput(f"--resume continues the run as it was started: leave out {', '.join(excluded)}")
    cluster = validated(ClusterConfig, options)
    if resume:
        resume_and_report(context, resume, cluster, as_json)
        return
    try:
        if extend:
            config = extended_config(context.home, extend, chosen)
        else:
            chosen = with_network(context, chosen, warm_start)
            config = from_preset(chosen)
    except InvalidInput as error:
        raise in_options(error) from None
    _check_strategy(config, chosen)
    picked = None
    if warm_start == FRESH:
        picked = recommended_averaging(config, chosen, partial(_guessing_loss, context, config))
        config = from_preset(overlaid(chosen, {"averaging": dict(picked.options)})) if picked else config
    run = new_run_id()
    check_training(context.home, config, cluster, warm_start)
    if picked:
        click.echo(picked.why, err=True)
    context.interruption.resume = _resuming(context, run)
    with progress(context.home, run):
        published = context.pipelines.train(context.home, config, cluster, run, warm_start)
    _report(published, as_json)


def resume_and_report(context: Context, run: str, cluster: ClusterConfig, as_json: bool) -> None:
    """Continue a run, show how it goes and report what came out."""
    found = find_run(context.home.runs, run)
    check_training(context.home, found.config(), cluster, resumed=True)
    with found.held():
        pass  # raises Conflict where another process works on it: before its log is shown, and anything is started
    context.interruption.resume = _resuming(context, run)
    with progress(context.home, run):
        published = context.pipelines.resume(context.home, run, cluster)
    _report(published, as_json)


def _guessing_loss(context: Context, config: TrainConfig) -> float:
    """The train loss of guessing with this data set, which may have to be fetched first."""
    store = context.home.store(config.dataset)
    try:
        names, counts = describe(store).class_names, label_counts(store, "train")
    except DataError:
        names = FASHION_MNIST.class_names
        counts = (1,) * len(names)
    weights = class_weights(config.class_weights, names, counts)
    return Guessing.of(counts, config.optimizer.label_smoothing, weights).loss


def _resuming(context: Context, run: str) -> Callable[[], str]:
    """What to tell somebody who interrupts: the command that continues the run, once there is one."""
    exists = run_at(context.home.runs, run).exists
    # Where the storage of the runs is away, it won't answer before the process has to end.
    return lambda: f"atelier runs resume {run}" if soon(exists, otherwise=True) else ""


def _report(published: Published, as_json: bool) -> None:
    values = {name: value for name, value in asdict(published).items() if value is not None}
    show(values, _as_text(published), as_json)


def _check_strategy(config: TrainConfig, chosen: dict[str, Any]) -> None:
    """Raise InvalidInput where an option was given that the strategy doesn't read."""
    unread = unread_options(config.averaging, chosen.get("averaging", {}))
    if unread:
        flags = ", ".join(_flags(dict.fromkeys(unread)))
        raise InvalidInput(f"--strategy {config.averaging.strategy} has no use for {flags}: leave out {flags}")


def _flags(chosen: dict[str, Any]) -> list[str]:
    nested = [name for value in chosen.values() if isinstance(value, dict) for name in value]
    return [
        f"--{name.replace('_', '-')}" for name in (*(k for k, v in chosen.items() if not isinstance(v, dict)), *nested)
    ]


def _champion(published: Published) -> str:
    """A line about the champion where the new version isn't it."""
    if published.champion is None:
        return ""
    which = f"version {published.champion}" if published.champion else "none"
    return f"  champion is {which}: {published.champion_why}\n"


def _warnings(published: Published) -> str:
    return "".join(f"warning: {warning}\n" for warning in published.warnings or ())


def _as_text(published: Published) -> str:
    label = published.model if published.champion is None else f"{published.model}:{published.version}"
    held = published.validation_accuracy
    validation = "" if held is None else f"   validation accuracy {held:.4f}"
    best = f", the best epoch, number {published.best_epoch}" if published.best_epoch else ""
    stopped = f", stopped after epoch {published.epochs}" if published.epochs else ""
    return (
        f"\n{published.model} version {published.version}{best}{stopped}\n"
        f"  train loss {published.train_loss:.4f}   train accuracy {published.train_accuracy:.4f}"
        f"{validation}   test accuracy {published.test_accuracy:.4f}\n"
        f"  {published.examples_per_s:,.0f} examples/s in {published.wall_s:.1f} s, "
        f"{counted(published.shards, 'shard')} on {counted(published.workers, 'worker')}, engine {published.engine}\n"
        f"  run {published.run}, parameters {published.digest[:16]}\n{_champion(published)}"
        f"{_warnings(published)}\n"
        f"Look at it:  atelier models show {label}\n"
        f"Ask it:      atelier predict {label} IMAGE\n"
        f"Serve it:    atelier serve"
    )
