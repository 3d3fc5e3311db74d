"""`python -m tests.mutation [MODULE …]`: the mutation score of modules, beside the one that is kept of them.

scores.toml names for each module the tests that are run against its mutants, how many of these there were, how many
were tried where that was a sample, how many were killed, and why the others may live. Without a module all are tried.
"""

import json
import shlex
import subprocess
import sys
import tempfile
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from time import monotonic
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Score:
    """What became of a module's mutants.

    Attributes:
        mutants: how many there are.
        tried: how many of them were tried.
        survivors: those that no test noticed: the function and the change of each.
    """

    mutants: int
    tried: int
    survivors: list[dict[str, str]]

    @property
    def killed(self) -> int:
        return self.tried - len(self.survivors)

    def is_below(self, kept: dict[str, Any]) -> bool:
        """Whether fewer were killed than before; of a sample, fewer than chance explains."""
        before = kept["killed"] / kept.get("tried", kept["mutants"])
        sampled = "tried" in kept or self.tried < self.mutants
        chance = 0.0 if not sampled else 2 * sqrt(before * (1 - before) / max(self.tried, 1)) + 0.02
        return self.killed < (before - chance) * self.tried


def main() -> int:
    arguments = _arguments()
    kept = tomllib.loads((HERE / "scores.toml").read_text())
    modules = arguments.modules or list(kept)
    if arguments.changed:
        changed = _changed_since(arguments.changed)
        modules = [module for module in modules if _is_touched((module, *shlex.split(kept[module]["tests"])), changed)]
    unknown = [module for module in modules if module not in kept]
    if unknown and not arguments.tests:
        print(f"scores.toml names no tests for {', '.join(unknown)}: name some with --tests", file=sys.stderr)
        return 2
    began, fell = monotonic(), []
    for number, module in enumerate(modules):
        left = (arguments.seconds - (monotonic() - began)) / (len(modules) - number)
        entry = kept.get(module, {})
        score = _score(module, arguments.tests or entry["tests"], left, arguments.sample)
        accepted = {survivor["change"]: survivor["reason"] for survivor in entry.get("survivors", [])}
        print(f"{module}: {score.killed} of {score.tried} killed, of {score.mutants} mutants", flush=True)
        for survivor in score.survivors:
            reason = accepted.get(survivor["change"])
            if reason is None or arguments.verbose:
                print(f"  {survivor['function']} ({reason or 'no reason known'})")
                print("    " + survivor["change"].replace("\n", "\n    "), flush=True)
        if "killed" in entry and score.is_below(entry):
            fell.append(module)
            print(f"  FELL: it was {entry['killed']} of {entry.get('tried', entry['mutants'])}")
    return 1 if fell else 0


def _changed_since(commit: str) -> set[str]:
    command = ["git", "diff", "--name-only", commit]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())


def _is_touched(paths: Iterable[str], changed: set[str]) -> bool:
    return any(path in changed or any(each.startswith(f"{path}/") for each in changed) for path in paths)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("modules", nargs="*", help="paths from the repository's root")
    parser.add_argument("--tests", help="what to tell pytest instead of what scores.toml has: files, -k, --deselect")
    parser.add_argument(
        "--changed", metavar="COMMIT", help="only modules that differ from a commit's, or whose tests do"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no mutant after so many")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of each module, drawn with a fixed seed")
    parser.add_argument("--verbose", action="store_true", help="print the accepted survivors too")
    return parser.parse_args()


def _score(module: str, tests: str, seconds: float, sample: int | None) -> Score:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutation.plugin",
            "-m", "not slow", f"--mutate={module}", f"--mutation-report={report}", f"--mutation-seconds={seconds}",
            *([f"--mutation-sample={sample}"] if sample else []), *shlex.split(tests),
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not report.exists():
            sys.exit(f"{module}: the tests didn't run:\n{done.stdout}{done.stderr}")
        return Score(**json.loads(report.read_text()))


sys.exit(main())
