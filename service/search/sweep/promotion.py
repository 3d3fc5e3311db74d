"""Which trials go on: what there is to do in a bracket, from what is measured so far. Pure functions.

Synchronous: once all trials of a rung are measured, the best of them go on. What is done depends on the figures alone.

Asynchronous (ASHA: L. Li et al., A system for massively parallel hyperparameter tuning, 2020, algorithm 2): a trial
goes on as soon as it is among the best of those measured so far in its rung. Nobody waits for the slowest trial of a
rung. Which trials go on then depends on which are measured first, and so on the machine; the bits of each don't.
"""

from collections.abc import Collection, Mapping
from itertools import pairwise

from service.search.sweep.brackets import Bracket
from service.search.sweep.halving import promoted

Step = tuple[int, int]
"""A trial, and until how many epochs it is to train."""

Merits = Mapping[int, Mapping[int, float]]
"""What trials are compared by, more being better: by number of epochs, then by trial."""


def due(bracket: Bracket, merits: Merits, failed: Collection[int], factor: int) -> list[Step]:
    """What there is to do in a rung that isn't whole, with what is being done already.

    Args:
        bracket: the trials and their rungs.
        merits: what is measured so far.
        failed: trials that can't go on; the others are compared without them.
        factor: one of so many goes on.

    Returns:
        The steps, in the order of the trials; none once the bracket is done.
    """
    members = list(bracket.trials)
    for epochs in bracket.rungs:
        found = merits.get(epochs, {})
        if missing := [trial for trial in members if trial not in found and trial not in failed]:
            return [(trial, epochs) for trial in missing]
        members = promoted({trial: found[trial] for trial in members if trial in found}, factor)
    return []


def due_asynchronously(
    bracket: Bracket, merits: Merits, failed: Collection[int], factor: int, doing: Collection[Step]
) -> list[Step]:
    """What can be done now, what is furthest first; new trials come last.

    In the end, where nothing else is to be done, the best trial of the highest rung goes on, so that one comes to its
    end.

    Args:
        bracket: the trials and their rungs.
        merits: what is measured so far.
        failed: trials that can't go on.
        factor: one of so many goes on.
        doing: the steps that are being done.
    """
    measured = {
        epochs: {trial: merit for trial, merit in merits.get(epochs, {}).items() if trial in bracket.trials}
        for epochs in bracket.rungs
    }
    steps: list[Step] = []
    for below, above in reversed(list(pairwise(bracket.rungs))):
        best = promoted(measured[below], factor) if len(measured[below]) >= factor else []
        steps += [(trial, above) for trial in best if trial not in measured[above]]
    steps += [(trial, bracket.rungs[0]) for trial in bracket.trials if trial not in measured[bracket.rungs[0]]]
    open_steps = [step for step in steps if step not in doing and step[0] not in failed]
    if open_steps or any(trial in bracket.trials for trial, _ in doing):
        return open_steps
    return _last_one(bracket, measured, failed)


def _last_one(bracket: Bracket, measured: Merits, failed: Collection[int]) -> list[Step]:
    """The step that takes the best trial of the highest rung further, unless a trial came to its end."""
    for below, above in reversed(list(pairwise(bracket.rungs))):
        if measured[above]:
            return []
        candidates = {trial: merit for trial, merit in measured[below].items() if trial not in failed}
        if candidates:
            return [(max(candidates, key=lambda trial: (candidates[trial], -trial)), above)]
    return []
