"""A run in a bucket: one history whoever writes, and nothing that isn't whole."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from uuid import uuid4

import numpy as np
import pytest

import service.runs.housekeeping
import service.runs.lease
from ops.engines.base import Replica
from service.config import TrainConfig
from service.errors import Conflict, NotFound, RunError, StorageError
from service.rounds.plan import Round
from service.rounds.train_state import TrainState
from service.runs import all_runs, begin_run, find_run, run_at
from service.runs.bucket import BucketRun
from service.runs.bucket_lease import BucketLeases
from service.runs.checkpoints import Checkpoint
from service.runs.holder import Holder
from service.runs.housekeeping import ended_runs, leftovers, remove_leftover
from service.runs.lease import Lease, LeaseRecord
from service.runs.log import entries as entries_of_file
from service.runs.segments import segment_key
from service.storage import Address, Bucket, place_of
from tests.clusters import until
from tests.object_storage import new_bucket, point_to, serving_objects, trouble


@pytest.fixture
def runs(object_storage: str) -> Address:
    found = place_of(new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "runs"))
    assert isinstance(found, Address)
    return found


@pytest.fixture
def run(runs: Address) -> BucketRun:
    begun = begin_run(runs, "run", TrainConfig(epochs=1), None)
    assert isinstance(begun, BucketRun)
    return begun


@pytest.fixture
def bucket(run: BucketRun) -> Bucket:
    return Bucket(run.place)


@pytest.fixture
def checkpoint() -> Checkpoint:
    theta, velocity, outer = np.random.default_rng(3).normal(size=(3, 50)).astype(np.float32)
    return Checkpoint(Round(6, 1, 30, 60, 4), 12345, TrainState(Replica(theta, velocity), outer))


def write(run: BucketRun, rounds: range, end: bool = True) -> int:
    """Write some rounds; the fencing number."""
    with run.held() as lease, run.open_log(lease) as log:
        for number in rounds:
            log.append("round", round=number)
        if end:
            log.append("end", outcome="finished")
        return lease.number


def rounds_of(run: BucketRun) -> list[int]:
    return [entry["round"] for entry in run.entries() if entry["kind"] == "round"]


def test_a_run_begins_once_with_all_that_it_starts_from(runs: Address, checkpoint: Checkpoint):
    with pytest.raises(NotFound, match="there is no run 'run' in s3://"):
        find_run(runs, "run")
    begin_run(runs, "run", TrainConfig(epochs=3), checkpoint, machine={"python": "3"})
    with pytest.raises(Conflict, match="run run exists already"):
        begin_run(runs, "run", TrainConfig(epochs=3), None)
    found = find_run(runs, "run")
    assert (found.config().epochs, found.facts()["machine"]) == (3, {"python": "3"})
    start = found.start()
    assert start is not None
    assert start.digests == checkpoint.state.digests
    assert begin_run(runs, "fresh", TrainConfig(), None).start() is None
    assert {each.name for each in all_runs(runs)} == {"run", "fresh"}
    assert (found.status(), found.is_held(), list(found.entries())) == ("interrupted", False, [])
    for name in ("../run", ".run", "", "ru"):
        with pytest.raises(NotFound):
            find_run(runs, name)


def test_segments_are_the_lines_of_one_log_whoever_wrote_them(run: BucketRun, bucket: Bucket, tmp_path: Path):
    assert write(run, range(100), end=False) == 1
    assert write(run, range(100, 103)) == 2
    assert rounds_of(run) == list(range(103))
    assert (run.status(), run.started()) == ("finished", next(iter(entries_of_file(copy(run, tmp_path))))["at"])
    keys = [key for key in sorted(bucket.sizes()) if key.startswith("log/")]
    assert keys == [segment_key(number) for number in range(len(keys))]
    assert len(keys) < 20  # a hundred lines at once don't take a hundred requests
    lines = list(entries_of_file(tmp_path / "rounds.jsonl"))
    assert [entry["lease"] for entry in lines if entry["kind"] == "fence"] == [1, 2]
    assert [entry for entry in lines if entry["kind"] != "fence"] == list(run.entries())


def copy(run: BucketRun, folder: Path) -> Path:
    (folder / "rounds.jsonl").write_bytes(run.read_log())
    return folder / "rounds.jsonl"


def test_new_lines_come_once(run: BucketRun):
    assert run.tail(0) == ([], 0)
    write(run, range(3), end=False)
    found, position = run.tail(0)
    assert [entry["round"] for entry in found] == [0, 1, 2]
    assert run.tail(position) == ([], position)
    write(run, range(3, 5))
    assert [entry["kind"] for entry in run.tail(position)[0]] == ["round", "round", "end"]


def test_a_line_is_there_soon_though_nothing_follows_it(run: BucketRun):
    with run.held() as lease, run.open_log(lease) as log:
        log.append("round", round=0)
        until(lambda: rounds_of(run) == [0])


def test_a_log_that_was_changed_or_has_a_gap_is_refused_by_name(run: BucketRun, bucket: Bucket):
    for _ in range(2):
        write(run, range(2), end=False)
    content = bucket.read(segment_key(1))
    bucket.put(segment_key(1), content.replace(b'"round":1', b'"round":7'))
    with pytest.raises(RunError, match=rf"{run.place}/log/00000002.jsonl: the chain is broken"):
        list(run.entries())
    bucket.remove(segment_key(1))
    for look in (lambda: list(run.entries()), lambda: write(run, range(1))):
        with pytest.raises(RunError, match=rf"{run.place}/log/00000001.jsonl is missing"):
            look()
    bucket.put(segment_key(1), b"no json\n")
    with pytest.raises(RunError, match="damaged"):
        run.tail(1)


def successor(bucket: Bucket, stack: ExitStack) -> Lease:
    """The lease of a process that takes a run over, as if the one before had been silent for long."""
    leases = BucketLeases(bucket, "run")
    current = leases.current()
    assert current is not None
    record = LeaseRecord(current.number + 1, "token", Holder("other"))
    assert leases.create(record)
    lease = Lease(leases, record)
    stack.callback(lease.release)
    return lease


@pytest.mark.parametrize("writes", ["a line", "a checkpoint", "the end"])
def test_who_was_replaced_writes_nothing_more(
    run: BucketRun, bucket: Bucket, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, writes: str
):
    monkeypatch.setattr(service.runs.lease, "RENEW_SECONDS", 60)  # it has no time to notice by itself
    with ExitStack() as stack:
        first = stack.enter_context(run.held())
        log = run.open_log(first)
        log.append("round", round=0)
        until(lambda: rounds_of(run) == [0])
        later = stack.enter_context(run.open_log(successor(bucket, stack)))
        later.append("round", round=1)
        log.append("round", round=7)
        if writes == "a checkpoint":
            log.after(lambda: run.checkpoints.write(checkpoint))
        if writes != "the end":
            until(lambda: log._error is not None)
        with pytest.raises(Conflict) as refused:
            log.append("end" if writes == "the end" else "round", round=8)
        assert str(refused.value) == (
            "run run was taken over by another process while this one was paused; nothing more is written by this one"
        )
        later.append("end", outcome="finished")
        assert (rounds_of(run), run.status(), run.checkpoints.numbers()) == ([0, 1], "finished", [])


def test_who_was_replaced_before_it_opened_the_log_does_not_come_in_between(run: BucketRun, bucket: Bucket):
    with ExitStack() as stack:
        first = stack.enter_context(run.held())
        later = stack.enter_context(run.open_log(successor(bucket, stack)))
        with pytest.raises(Conflict, match="taken over"):
            run.open_log(first)
        later.append("end", outcome="finished")


def test_a_line_that_arrives_late_is_before_the_successor_s_or_refused(run: BucketRun, bucket: Bucket):
    """The successor's first segment finds one in its place, which the one before sent just before it was replaced."""
    with ExitStack() as stack:
        first = stack.enter_context(run.held())
        log = run.open_log(first)
        lease = successor(bucket, stack)
        log.append("round", round=0)
        until(lambda: rounds_of(run) == [0])
        with run.open_log(lease) as later:
            later.append("round", round=1)
            later.append("end", outcome="finished")
    assert rounds_of(run) == [0, 1]


def test_a_second_process_is_refused_and_a_dead_one_followed(run: BucketRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service.runs.lease, "RENEW_SECONDS", 0.1)
    with run.held() as lease:
        assert (run.is_held(), run.status(), lease.number) == (True, "running", 1)
        with pytest.raises(Conflict, match="run run is being worked on by another process"):
            write(run, range(1))
        until(lambda: b'"renewals":0' not in Bucket(run.place).read("lease/1.json"))
    monkeypatch.setattr(service.runs.lease, "LEASE_SECONDS", 2.0)
    bucket = Bucket(run.place)
    leases = BucketLeases(bucket, "run")
    record = leases.current()
    assert record is not None
    assert record.renewals > 0
    elsewhere = Holder("other", "another boot", "its processes", 1, "0")
    silent = replace(record, number=2, released=False, holder=elsewhere, renewed_at=record.renewed_at + 3600)
    assert leases.create(silent)
    began = monotonic()
    assert write(run, range(1)) == 3
    assert monotonic() - began >= 2.0  # it was watched
    bucket.put("lease/4.json", b"{")
    assert run.is_held()
    assert list(bucket.tags("lease")) == ["lease/3.json", "lease/4.json"]


def test_checkpoints_are_whole_or_not_there(run: BucketRun, bucket: Bucket, checkpoint: Checkpoint):
    bucket.put("checkpoints/3/replica.safetensors", b"of a process that died")
    assert run.checkpoints.numbers() == []
    with pytest.raises(RunError, match=rf"checkpoint {run.place}/checkpoints/3 can't be read"):
        run.checkpoints.read(3)
    for number in (2, 6, 9):
        run.checkpoints.write(replace(checkpoint, round=replace(checkpoint.round, number=number)))
    assert run.checkpoints.numbers() == [10, 7, 3]
    assert run.checkpoints.read(7).state.digests == checkpoint.state.digests
    for name, said in (("replica.safetensors", "not the one in cursor.json"), ("cursor.json", "not the one that it")):
        content = bytearray(bucket.read(f"checkpoints/7/{name}"))
        content[-20] ^= 1
        bucket.put(f"checkpoints/7/{name}", bytes(content))
        with pytest.raises(RunError, match=said):
            run.checkpoints.read(7)
        run.checkpoints.write(checkpoint)
        assert run.checkpoints.read(7).state.digests == checkpoint.state.digests
    run.checkpoints.remove(10)
    assert run.checkpoints.numbers() == [7, 3]
    assert not [key for key in bucket.sizes() if "/10/" in key]


def test_requests_are_seen_without_waiting_for_them_and_forgotten(run: BucketRun, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.runs.request_watch.REQUEST_SECONDS", 0.05)
    worker = run_at(run.place.__class__(run.place.bucket, run.place.prefix.rpartition("/")[0]), "run")
    assert worker.requested() is None
    run.request("pause")
    until(lambda: worker.requested() == "pause")
    run.request("cancel")
    until(lambda: worker.requested() == "cancel")
    worker.clear_requests()
    assert worker.requested() is None
    until(lambda: worker.requested() is None)


@pytest.mark.slow
def test_every_fifth_request_may_fail(object_storage: str, runs: Address, checkpoint: Checkpoint):
    with trouble(object_storage, unsteady=5):
        run = begin_run(runs, "run", TrainConfig(), checkpoint)
        with run.held() as lease, run.open_log(lease) as log:
            for number in range(40):
                log.append("round", round=number)
                due = replace(checkpoint, round=replace(checkpoint.round, number=number))
                log.after(lambda due=due: run.checkpoints.write(due))
            log.append("end", outcome="finished")
        assert isinstance(run, BucketRun)
        assert rounds_of(run) == list(range(40))
        assert run.checkpoints.numbers() == list(range(40, 0, -1))
        assert {run.checkpoints.read(number).state.digest for number in (1, 20, 40)} == {checkpoint.state.digest}
        assert run.status() == "finished"


def test_a_storage_that_goes_away_ends_the_log_in_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.storage.bucket.MORE_PATIENCE_S", 1.0)
    with serving_objects() as endpoint, ExitStack() as stack:
        point_to(endpoint, monkeypatch)
        runs = place_of(new_bucket(endpoint, "short-lived", "runs"))
        run = begin_run(runs, "run", TrainConfig(), None)
        log = run.open_log(stack.enter_context(run.held()))
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        log._bucket = Bucket(run.place)  # type: ignore[attr-defined, arg-type] # as if that were the same server
        log.append("round", round=0)
        with pytest.raises(RunError) as refused:
            log.append("end", outcome="finished")
        assert str(refused.value) == (
            f"run run can't be written: {run.place} can't be reached at http://127.0.0.1:9: check AWS_ENDPOINT_URL; "
            "`atelier runs resume run` continues it later"
        )
        with pytest.raises(RunError):
            log.append("end", outcome="failed")


def test_a_deleted_run_is_gone_and_what_a_deletion_left_is_found(
    runs: Address, run: BucketRun, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
):
    write(run, range(2))
    assert [each.name for each in ended_runs(runs, timedelta(0))] == ["run"]
    with run.held(), pytest.raises(Conflict):
        run.delete()
    run.delete()
    assert (all_runs(runs), bucket.sizes()) == ([], {})
    half, draft, whole = (Bucket(runs / name) for name in ("half", "draft", "whole"))
    half.put("deleted", b"")
    half.put("log/00000003.jsonl", b"")
    draft.put("start/0123/cursor.json", b"")
    Bucket(runs / "resumed").put("lease/1.json", b"")
    begin_run(runs, "whole", TrainConfig(), None)
    whole.put("start/0123/cursor.json", b"")
    assert [place.name for place in leftovers(runs)] == ["half"]
    with pytest.raises(Conflict, match="exists already"):
        begin_run(runs, "half", TrainConfig(), None)
    monkeypatch.setattr(service.runs.housekeeping, "DRAFT_SECONDS", -60)
    assert [place.name for place in leftovers(runs)] == ["draft", "half", "resumed"]
    for place in leftovers(runs):
        remove_leftover(place)
    assert [each.name for each in all_runs(runs)] == ["whole"]
    assert leftovers(runs) == []


def test_small_files_of_trackers_lie_with_the_run(run: BucketRun):
    with pytest.raises(NotFound):
        run.read_text("tracking/mlflow.json")
    run.write_text("tracking/mlflow.json", "{}")
    run.write_text("tracking/mlflow.json", '{"position": 3}')
    assert run.read_text("tracking/mlflow.json") == '{"position": 3}'
    assert run.size() > len(run.read_text("config.json"))


def test_a_storage_that_keeps_no_conditions_is_refused_before_a_run_begins(monkeypatch: pytest.MonkeyPatch):
    with serving_objects(IGNORED_HEADERS="HTTP_IF_MATCH HTTP_IF_NONE_MATCH") as endpoint:
        point_to(endpoint, monkeypatch)
        runs = place_of(new_bucket(endpoint, "careless", "runs"))
        with pytest.raises(StorageError, match="or write to one run; use a storage that does"):
            begin_run(runs, "run", TrainConfig(), None)


def test_a_run_that_was_deleted_since_it_was_found_is_not_worked_on(runs: Address, run: BucketRun, bucket: Bucket):
    late = find_run(runs, "run")
    run.delete()
    with pytest.raises(NotFound, match="there is no run 'run' any more"), late.held():
        pytest.fail("it is worked on")
    assert [key for key in bucket.sizes() if not key.startswith("lease/")] == []


@pytest.mark.parametrize("name", ["a\nb", "a\x01", "x\udcff", "", ".a", "a/b"])
def test_names_that_no_storage_takes_are_no_runs(runs: Address, name: str):
    with pytest.raises(NotFound, match="there is no run"):
        find_run(runs, name)


def test_a_lease_that_was_removed_is_lost_and_no_failure(run: BucketRun, bucket: Bucket):
    leases = BucketLeases(bucket, "run")
    with run.held():
        record = leases.current()
        assert record is not None
        bucket.remove("lease/1.json")
        with pytest.raises(Conflict, match="the lease on run run was changed or removed"):
            leases.renew(record)
