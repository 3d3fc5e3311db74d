"""What there is to do in a sweep, from what is on disk and what is being done."""

from collections.abc import Collection, Sequence

from service.search.sweep.folder import SweepFolder
from service.search.sweep.promotion import Step, due, due_asynchronously
from service.search.sweep.spec import Sweep


def next_steps(sweep: Sweep, folder: SweepFolder, failed: Collection[int], doing: Collection[Step]) -> list[Step]:
    """The steps that can be begun now, in the order in which they should be.

    Args:
        sweep: what is tried.
        folder: with the results so far.
        failed: trials that can't go on.
        doing: the steps that are being done, which are left out.
    """
    brackets = sweep.brackets()
    merits = _merits(folder, () if sweep.halving else brackets[0].rungs)
    steps: list[Step] = []
    for bracket in brackets:
        if sweep.asynchronous:
            steps += due_asynchronously(bracket, merits, failed, sweep.halving, doing)
        else:
            steps += [step for step in due(bracket, merits, failed, max(sweep.halving, 1)) if step not in doing]
    return steps


def _merits(folder: SweepFolder, whole: Sequence[int]) -> dict[int, dict[int, float]]:
    """What the trials are compared by, by number of epochs, then by trial.

    whole: without halving, the epochs of a trial that is done; else empty.
    """
    merits: dict[int, dict[int, float]] = {}
    for trial, result in folder.results().items():
        measured = {int(epochs): merit for epochs, merit in (result.rungs or {}).items()}
        for epochs, merit in (dict.fromkeys(whole, result.merit) or measured).items():
            merits.setdefault(epochs, {})[trial] = merit
    return merits
