"""A tracker gets every line of the log once, whatever fails or dies between."""

from pathlib import Path
from types import SimpleNamespace

from service.home import Home
from service.tracking.base import TrackedRun
from service.tracking.feed import Feed
from tests.service.tracking.runs import cut, grow, published_run


class Recorder:
    """A tracker that writes down what it gets; `down` makes it fail."""

    def __init__(self) -> None:
        self.entries: list[dict] = []
        self.models: list[str] = []
        self.ends: list[str] = []
        self.opened = 0
        self.down = False

    def module(self) -> SimpleNamespace:
        def tracker(run: TrackedRun, saved: dict[str, str]) -> Recorder:
            self._answer()
            self.opened += 1
            saved["opened"] = str(int(saved.get("opened", 0)) + 1)
            return self

        return SimpleNamespace(check=lambda: None, tracker=tracker)

    def add(self, entries: list[dict]) -> None:
        self._answer()
        self.entries += entries

    def publish(self, model: object, measured: list[dict]) -> None:
        self._answer()
        self.models.append(model.label)
        self.entries += measured

    def end(self, outcome: str) -> None:
        self._answer()
        self.ends.append(outcome)

    def _answer(self) -> None:
        if self.down:
            raise ConnectionError("nobody answers\nand more lines")


def test_lines_come_once_each_over_several_processes_and_the_model_once(home: Home, tmp_path: Path):
    whole, model = published_run(home, tmp_path / "idx")
    folder, recorder = cut(whole, 3), Recorder()
    assert Feed("recorder", recorder.module(), TrackedRun(folder, home.root)).step(None, None)
    assert recorder.entries == list(folder.entries())
    grow(folder, whole)
    second = Feed("recorder", recorder.module(), TrackedRun(folder, home.root))
    assert second.step(model, "finished")
    logged = list(whole.entries())
    assert recorder.entries[: len(logged)] == logged
    measured = recorder.entries[len(logged) :]
    assert [entry["epoch"] for entry in measured] == [0, 1]  # they were evaluated after the training
    assert (recorder.models, recorder.ends, recorder.opened) == (["tracked:1"], ["finished"], 2)
    assert Feed("recorder", recorder.module(), TrackedRun(folder, home.root)).step(model, "finished")
    assert (len(recorder.entries), recorder.models) == (len(logged) + 2, ["tracked:1"])


def test_what_a_tracker_cannot_take_comes_later(home: Home, tmp_path: Path):
    whole, model = published_run(home, tmp_path / "idx")
    folder, recorder = cut(whole, 3), Recorder()
    feed = Feed("recorder", recorder.module(), TrackedRun(folder, home.root))
    assert feed.step(None, None)
    recorder.down = True
    grow(folder, whole)
    assert not feed.step(None, None)
    assert feed.problem == "nobody answers"
    recorder.down = False
    assert not feed.step(None, None), "it waits a second before it tries again"
    assert feed.step(model, "finished", patient=False)
    assert feed.problem == ""
    assert recorder.entries[: len(list(whole.entries()))] == list(whole.entries())
    assert recorder.models == ["tracked:1"]


def test_a_tracker_that_lost_its_place_gets_everything_again(home: Home, tmp_path: Path):
    folder, _ = published_run(home, tmp_path / "idx")
    recorder = Recorder()
    assert Feed("recorder", recorder.module(), TrackedRun(folder, home.root)).step(None, None)
    (folder.path / "tracking" / "recorder.json").write_text('{"position": 12')
    assert Feed("recorder", recorder.module(), TrackedRun(folder, home.root)).step(None, None)
    assert recorder.entries == 2 * list(folder.entries())
