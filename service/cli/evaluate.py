"""`atelier evaluate`"""

from dataclasses import asdict
from typing import Any

import click

from service.cli.main import Context
from service.cli.names import run_names
from service.cli.options import options_of, validated
from service.cli.output import show
from service.config import ClusterConfig
from service.training.metrics import Evaluation


@click.command()
@click.argument("run", shell_complete=run_names)
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def evaluate(context: Context, run: str, as_json: bool, **options: Any) -> None:
    """Measure a run on the test examples, after each epoch whose checkpoint was kept."""
    cluster = validated(ClusterConfig, options)
    epochs = context.pipelines.evaluate(context.home, run, cluster)
    last = epochs[max(epochs)]
    lines = [f"epoch {epoch + 1:>3}   {figures(evaluation)}" for epoch, evaluation in epochs.items()]
    lines += [
        "",
        f"{'class':<16}{'examples':>10}{'precision':>10}{'recall':>10}{'f1':>10}",
        *(f"{c.name:<16}{c.support:>10,}{c.precision:>10.3f}{c.recall:>10.3f}{c.f1:>10.3f}" for c in last.classes),
        f"balanced accuracy {last.balanced_accuracy:.4f}, "
        f"calibration error {last.calibration_error:.4f} over {last.examples:,} examples",
    ]
    show({"run": run, "epochs": {str(n + 1): asdict(e) for n, e in epochs.items()}}, "\n".join(lines), as_json)


def figures(evaluation: Evaluation) -> str:
    test = f"loss {evaluation.loss:.4f}   accuracy {evaluation.accuracy:.4f}"
    held = evaluation.validation
    return f"{test}   validation loss {held.loss:.4f}   accuracy {held.accuracy:.4f}" if held else test
