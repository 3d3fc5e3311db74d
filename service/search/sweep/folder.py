"""A sweep on disk: what it tries, and a file for each trial that is done."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.errors import Conflict, SweepError
from service.files import canonical_json, new_folder, replace_file
from service.search.sweep.result import Result
from service.search.sweep.spec import Sweep


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder, `sweeps/<id>/`."""

    path: Path

    @classmethod
    def begin(cls, path: Path, sweep: Sweep) -> "SweepFolder":
        """Start a sweep on disk, or continue the one that is there.

        Raises Conflict where that one tries something else.
        """
        content = canonical_json(_with_holdout_by(_dumped(sweep), "stratified")) + "\n"
        try:
            with new_folder(path) as draft:
                (draft / "sweep.json").write_text(content, encoding="utf-8")
                (draft / "trials").mkdir()
        except FileExistsError:
            begun = _with_holdout_by(json.loads((path / "sweep.json").read_text(encoding="utf-8")), "last")
            if canonical_json(begun) + "\n" != content:
                raise Conflict(
                    f"sweep {path.name} exists already and tries something else: choose another id"
                ) from None
        return cls(path)

    @property
    def name(self) -> str:
        return self.path.name

    def run_of(self, trial: int) -> str:
        """The name of the run that trains a trial."""
        return f"{self.name}-{trial:04}"

    def keep(self, result: Result) -> None:
        """Write down what came out of a trial."""
        replace_file(
            self._file(result.trial),
            lambda draft: draft.write_text(canonical_json(asdict(result)) + "\n", encoding="utf-8"),
        )

    def results(self) -> dict[int, Result]:
        """What came out so far, by trial. Raises SweepError for a file that isn't a result."""
        return {
            result.trial: result for result in (_read(path) for path in sorted((self.path / "trials").glob("*.json")))
        }

    def _file(self, trial: int) -> Path:
        return self.path / "trials" / f"{trial:04}.json"


def _dumped(sweep: Sweep) -> dict[str, Any]:
    """A sweep as it is written down: without what it makes no use of, so that those of before are continued."""
    unused = {name for name in ("halving", "hyperband", "asynchronous") if not getattr(sweep, name)}
    if not sweep.halving:
        unused.add("min_epochs")
    return sweep.model_dump(mode="json", exclude=unused)


def _with_holdout_by(sweep: dict[str, Any], otherwise: str) -> dict[str, Any]:
    """A sweep that says which examples are held out, if any are. Those of before don't: it was the last ones."""
    tried = {*sweep["base"], *sweep["over"]}
    if "holdout" not in tried or "holdout_by" in tried:
        return sweep
    return {**sweep, "base": {"holdout_by": otherwise, **sweep["base"]}}


def _read(path: Path) -> Result:
    try:
        return Result(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise SweepError(f"{path} is damaged ({error}): delete it to have the trial measured again") from None
