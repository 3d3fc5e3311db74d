"""`atelier clean`"""

from pathlib import Path

import click

from service.cli.main import Context
from service.cli.output import as_size, show, table
from service.cluster.gpus import GPU_LOCKS
from service.data.ingest import SCRATCH
from service.files import is_locked, size_of
from service.home import Home
from service.runs.housekeeping import leftovers, remove_leftover
from service.storage import Bucket, Place


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be freed.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def clean(context: Context, dry_run: bool, as_json: bool) -> None:
    """Free what caches hold, and what processes left when they died.

    Kernels are compiled again when they are needed, and sources of data sets are fetched again. Data sets, runs and
    models stay.
    """
    places: list[Place] = [*_caches(context.home), *leftovers(context.home.runs)]
    found = {place: _size_of(place) for place in places}
    if not dry_run:
        for place in found:
            remove_leftover(place)
    rows = [(str(path), as_size(size)) for path, size in found.items()]
    total = f"{as_size(sum(found.values()))} {'would be ' if dry_run else ''}freed"
    text = f"{table(('folder', 'size'), rows, right=('size',))}\n{total}" if rows else "there is nothing to free"
    show({"freed": not dry_run, "folders": {str(path): size for path, size in found.items()}}, text, as_json)


def _size_of(place: Place) -> int:
    return size_of(place) if isinstance(place, Path) else sum(Bucket(place).sizes().values())


def _caches(home: Home) -> list[Path]:
    """Kernels that were compiled, and sources that were fetched. Locks stay, and what an ingestion at work has."""
    if not home.cache.is_dir():
        return []
    found = (path for path in home.cache.iterdir() if path.is_dir() and path.name != GPU_LOCKS and any(path.iterdir()))
    return sorted(path for path in found if not (path.suffix == SCRATCH and is_locked(path.with_suffix(".lock"))))
