"""The report of a sweep: its table and its picture, for people and for the gallery, renewed as trials come.

sweeps/<id>/report.md      the table and the picture
sweeps/<id>/report.svg     parallel coordinates
sweeps/<id>/report.json    what the gallery shows
"""

import json
from base64 import b64encode

from service.files import replace_file
from service.search.sweep.coordinates import coordinates_picture
from service.search.sweep.folder import SweepFolder
from service.search.sweep.spec import Sweep
from service.search.sweep.table import results_table


def write_report(folder: SweepFolder, sweep: Sweep) -> str:
    """Write the report of the trials so far.

    Args:
        folder: the sweep on disk.
        sweep: what is tried.

    Returns:
        The report in Markdown, with its picture inside.
    """
    results = list(folder.results().values())
    rows, picture = results_table(results), coordinates_picture(results, sweep.over, folder.name)
    how, planned = method(sweep), len(sweep.plan())
    content = {"sweep": folder.name, "method": how, "planned": planned, "rows": rows}
    _write(folder, "report.svg", picture)
    _write(folder, "report.json", json.dumps(content, ensure_ascii=False) + "\n")
    head = f"# Sweep {folder.name}\n\n{how[0].upper()}{how[1:]}. {len(rows)} of {planned} trials have figures.\n\n"
    _write(folder, "report.md", f"{head}![trials](report.svg)\n\n{_markdown(rows)}")
    inside = f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"
    return f"{head}![trials]({inside})\n\n{_markdown(rows)}"


def method(sweep: Sweep) -> str:
    """How a sweep looks for settings, in words."""
    drawn = "random draws" if sweep.trials or sweep.hyperband else "every combination"
    if not sweep.halving:
        return drawn
    name = "Hyperband" if sweep.hyperband else "successive halving"
    when = ", asynchronous: which trials went on depended on which were measured first" if sweep.asynchronous else ""
    return f"{drawn}, {name} by {sweep.halving}{when}"


def _write(folder: SweepFolder, name: str, text: str) -> None:
    replace_file(folder.path / name, lambda draft: draft.write_text(text, encoding="utf-8"))


def _markdown(rows: list[dict[str, object]]) -> str:
    if not rows:
        return "No trial is done yet.\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
