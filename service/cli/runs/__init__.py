"""`atelier runs`"""

import click

from service.cli.lazy_group import LazyCommand, LazyGroup

COMMANDS = {
    "list": LazyCommand("service.cli.runs.listing", "list_", "All runs, the one that started last first."),
    "show": LazyCommand("service.cli.runs.listing", "show_", "One run: what was asked, and how each epoch went."),
    "cancel": LazyCommand("service.cli.runs.requests", "cancel", "Have a run stop after the round at hand."),
    "pause": LazyCommand(
        "service.cli.runs.requests", "pause", "Have a run stop after the round at hand, to be resumed later."
    ),
    "resume": LazyCommand(
        "service.cli.runs.resume",
        "resume",
        "Continue a run from its newest checkpoint, to the bits that it would have ended in anyway.",
    ),
    "delete": LazyCommand("service.cli.runs.deletion", "delete", "Remove a run's files for good; its model stays."),
    "prune": LazyCommand("service.cli.runs.deletion", "prune", "Remove the runs that ended some time ago."),
    "verify": LazyCommand(
        "service.cli.runs.verify",
        "verify",
        "Compute a run's rounds again and tell whether the bits agree with its log, or where they first differ.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def runs() -> None:
    """Look at runs, and steer them."""
