"""`atelier bench`"""

from dataclasses import asdict
from typing import Any

import click

from ops import zoo
from service.cli.main import Context
from service.cli.networks import network_at, with_network
from service.cli.options import nested_options, options_of, validated
from service.cli.output import show
from service.config import DEFAULT_DATASET, ClusterConfig, TrainConfig, from_preset
from service.environment.processors import usable_processors
from service.runs import find_run, new_run_id
from service.training.warm_start import FRESH

networks = click.option(
    "--model",
    type=click.Choice(["lenet", "lenet-relu", "mlp"]),
    default="lenet",
    show_default=True,
    help="The network.",
)
epochs = click.option("--epochs", type=click.IntRange(1, 100), default=3, show_default=True, help="Epochs a run.")
repetitions = click.option(
    "--repetitions", type=click.IntRange(1, 100), default=5, show_default=True, help="How often; medians are reported."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")


@click.group()
def bench() -> None:
    """Measure how fast things are on this machine."""


@bench.command()
@click.option(
    "--model", default="lenet", show_default=True, metavar="NAME|FILE", help="The network, as `atelier train` takes it."
)
@click.option("--dataset", default=DEFAULT_DATASET, show_default=True, help="The ingested data set, grey or in colour.")
@click.option("--batch-size", type=click.IntRange(1, 65_536), default=256, show_default=True, help="Examples a step.")
@click.option("--examples", type=click.IntRange(0), default=0, help="Train on so many only; 0 takes all. On the CPU.")
@epochs
@repetitions
@click.option("--peer-epochs", type=click.IntRange(0), default=0, help="Epochs of a peer on a GPU; 0: as many as ours.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="What to measure.")
@click.option(
    "--precision", type=click.Choice(["float32", "tf32"]), default="float32", show_default=True, help="On a GPU."
)
@as_json_option
@click.pass_obj
def train(
    context: Context,
    model: str,
    dataset: str,
    batch_size: int,
    examples: int,
    epochs: int,
    repetitions: int,
    peer_epochs: int,
    device: str,
    precision: str,
    as_json: bool,
) -> None:
    """The whole service beside PyTorch, eager and compiled, on the same cores in the same run.

    With --device cuda beside its engine alone, PyTorch eager, compiled and as a CUDA graph, and JAX, on the same GPU.
    """
    network = network_at(context, model)
    context.pipelines.ingest(context.home, dataset, None)
    if device == "cuda":
        from service.bench import gpu_training

        on_gpu = gpu_training.measure_gpu_training(
            context.home,
            network=network,
            dataset=dataset,
            batch_size=batch_size,
            epochs=epochs,
            repetitions=repetitions,
            peer_epochs=peer_epochs,
            precision=precision,
        )
        show(asdict(on_gpu), gpu_training.render(on_gpu), as_json)
        return
    from service.bench.training import measure_training, render

    report = measure_training(
        context.home,
        network=network,
        dataset=dataset,
        batch_size=batch_size,
        epochs=epochs,
        repetitions=repetitions,
        examples=examples,
    )
    show(asdict(report), render(report), as_json)


@bench.command()
@click.option(
    "--model",
    type=click.Choice(["lenet", "lenet-relu", "mlp"]),
    default="lenet-relu",
    show_default=True,
    help="The network, by its preset.",
)
@click.option(
    "--target", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="The test accuracy to reach."
)
@click.option("--epochs", type=click.IntRange(1, 1000), default=20, show_default=True, help="Epochs a training.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Trainings of each kind.")
@as_json_option
@click.pass_obj
def accuracy(context: Context, model: str, target: float, epochs: int, seeds: int, as_json: bool) -> None:
    """Time to a test accuracy, beside PyTorch by the same recipe on the same cores in the same run."""
    from service.bench.accuracy import measure_accuracy, render

    context.pipelines.ingest(context.home, "fashion-mnist", None)
    report = measure_accuracy(context.home, network=model, target=target, epochs=epochs, seeds=seeds)
    show(asdict(report), render(report), as_json)


@bench.command()
@networks
@as_json_option
@click.pass_obj
def kernels(context: Context, model: str, as_json: bool) -> None:
    """Each kernel of the CPU engine: GFLOP/s and share of the sgemm ceiling, against im2col and BLAS."""
    from service.bench.kernels import measure_kernels, render

    report = measure_kernels(zoo.network(model, (1, 28, 28), 10))
    show(asdict(report), render(report), as_json)


@bench.command()
@networks
@click.option(
    "--workers", multiple=True, type=click.IntRange(1, 256), help="May be repeated. [default: 1, 2, …, cores]"
)
@click.option("--solo-share", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="See `atelier train`.")
@epochs
@repetitions
@as_json_option
@click.pass_obj
def scaling(
    context: Context,
    model: str,
    workers: tuple[int, ...],
    solo_share: float,
    epochs: int,
    repetitions: int,
    as_json: bool,
) -> None:
    """What more workers bring: speed-up, efficiency, and where the rest goes."""
    from service.bench.scaling import measure_scaling, render

    context.pipelines.ingest(context.home, "fashion-mnist", None)
    counts = sorted(workers or range(1, usable_processors() + 1))
    averaging = {"shards": counts[-1], "solo_share": solo_share}
    config = from_preset({"model": model, "epochs": epochs, "averaging": averaging})
    points = measure_scaling(context.home, config, counts, repetitions)
    show([asdict(point) for point in points], render(points), as_json)


@bench.command()
@options_of(TrainConfig, presets=True)
@options_of(ClusterConfig)
@as_json_option
@click.pass_obj
def rounds(context: Context, as_json: bool, **options: Any) -> None:
    """Train once, and tell what share of the wall time was not spent in steps."""
    from service.bench.rounds import render, round_costs

    cluster = validated(ClusterConfig, options)
    config = from_preset(with_network(context, nested_options(TrainConfig, options)))
    published = context.pipelines.train(context.home, config, cluster, new_run_id(), FRESH)
    costs = round_costs(find_run(context.home.runs, published.run), published.workers)
    show(asdict(costs), render(costs), as_json)


@bench.command()
@click.option("--model", type=click.Choice(["lenet", "lenet-relu", "mlp"]), default="lenet", help="The network.")
@click.option(
    "--workers",
    multiple=True,
    type=click.IntRange(1, 100_000),
    default=(1, 64, 256, 1_000, 10_000),
    show_default=True,
    help="May be repeated.",
)
@click.option("--average-every", type=click.IntRange(1), default=118, show_default=True, help="Steps a round.")
@click.option("--shards", type=click.IntRange(0), default=0, help="Over all workers; 0 is one for each.")
@click.option("--examples-a-step", type=click.IntRange(1), default=64, show_default=True, help="Of each shard.")
@click.option(
    "--gbit", type=click.FloatRange(0.001), default=10.0, show_default=True, help="A worker's network, Gbit/s."
)
@click.option(
    "--gigabytes", multiple=True, type=click.FloatRange(0.001), help="Images of a data set, for epochs on it."
)
@click.option("--window", type=click.IntRange(1), default=128, show_default=True, help="See `atelier train`.")
@click.option(
    "--storage-gbit", type=click.FloatRange(0.001), default=10.0, show_default=True, help="The data's network, Gbit/s."
)
@as_json_option
@click.pass_obj
def fleet(
    context: Context,
    model: str,
    workers: tuple[int, ...],
    average_every: int,
    shards: int,
    examples_a_step: int,
    gbit: float,
    gigabytes: tuple[float, ...],
    window: int,
    storage_gbit: float,
    as_json: bool,
) -> None:
    """Forecast rounds on large fleets from costs that are measured here, and the H that keeps overhead within 5 %.

    With --shards, rounds of many shards on few workers, which `atelier bench rounds` can measure beside it.
    One worker computes all shards of several rounds as one task. With --gigabytes, epochs on data sets of that size,
    whose chunks the workers read.
    """
    from service.bench import epochs
    from service.bench.costs import measure_costs
    from service.bench.fleet import Fleet, forecast, render, sparsest_within

    context.pipelines.ingest(context.home, "fashion-mnist", None)
    costs = measure_costs(context.home, from_preset({"model": model}), examples_a_step)
    fleets = [Fleet(count, average_every, examples_a_step, gbit * 1e9 / 8, shards=shards) for count in workers]
    forecasts = [answer for one in fleets for answer in (forecast(costs, one), sparsest_within(costs, one))]
    told, text = {"costs": asdict(costs), "forecasts": [asdict(one) for one in forecasts]}, render(costs, forecasts)
    if gigabytes:
        reading = epochs.measure_reading(context.home, "fashion-mnist")
        sets = [epochs.LargeData(size, window, storage_gbit * 1e9 / 8) for size in gigabytes]
        large = [epochs.forecast_epoch(costs, reading, one, data) for data in sets for one in fleets]
        told |= {"reading": asdict(reading), "epochs": [asdict(one) for one in large]}
        text = f"{text}\n\n{epochs.render(reading, large)}"
    show(told, text, as_json)
