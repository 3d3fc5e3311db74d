"""Data sets in object storage, where nothing can be renamed: a pointer says which of a name's stores it stands for.

    <name>.zarr/current.json                  {"store": GENERATION, "digest": …}, written last, on a condition
    <name>.zarr/<GENERATION>/zarr.json, …     a Zarr group, as a folder has it; it never changes

Every ingestion writes a generation of its own, so that nobody who ingests or deletes at the same time can spoil
another's. What one leaves that is killed is named by no pointer; it is removed once it is `LEFTOVER` old.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from service.errors import Conflict, DataError, NotFound, StorageError
from service.storage import Address, Bucket, Stored
from service.storage.bucket_errors import Unreachable

SUFFIX = ".zarr"
POINTER = "current.json"

ATTEMPTS = 5

LEFTOVER = timedelta(days=1)
"""How long nothing has to be written to a generation without a pointer until its writer is held to be dead."""


def resolve(place: Address) -> Address:
    """The generation that a name stands for; one that is named itself stays as it is.

    Raises DataError where there is no such data set, or its pointer is damaged.
    """
    if not place.name.endswith(SUFFIX):
        return place
    found = pointer(place)
    if found is None:
        raise DataError(f"there is no store at {place}: run `atelier ingest` first")
    return place / _generation(place, found)


def pointer(place: Address) -> Stored | None:
    """The pointer of a name, and its tag; None where there is none."""
    try:
        return Bucket(place).read_tagged(POINTER)
    except NotFound:
        return None


def publish(folder: Path, digest: str, place: Address, before: Stored | None, note: Callable[[int], object]) -> Address:
    """Bring a store that lies in a folder into object storage, and point the name to it.

    Args:
        folder: the store.
        digest: of its data.
        place: the name.
        before: the pointer that it takes the place of; None where there is none yet.
        note: is told how many bytes more are there.

    Returns:
        The generation: this one, or another of the same data that was published meanwhile.

    Raises:
        Conflict: other data were published under the name meanwhile.
        StorageError: the storage can't be reached.
    """
    bucket, generation = Bucket(place, patient=True), f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(4)}"
    try:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            bucket.put(f"{generation}/{path.relative_to(folder).as_posix()}", path)
            note(path.stat().st_size)
    except BaseException:
        with suppress(StorageError):
            _remove_below(Bucket(place), generation)
        raise
    # Whatever goes wrong from here on, the generation stays: the name may point to it, though no answer said so.
    published = _point(bucket, place, generation, digest, before)
    with suppress(StorageError, DataError):  # it is published; the next one clears away what isn't now
        if published != generation:
            _remove_below(bucket, generation)
        elif before is not None:
            _remove_below(bucket, _generation(place, before))
        _remove_leftovers(bucket, place)
    return place / published


def remove(place: Address) -> None:
    """Remove a data set for good; one that isn't there is no error."""
    bucket, found = Bucket(place), pointer(place)
    bucket.remove(POINTER)
    if found is not None:
        with suppress(DataError):
            _remove_below(bucket, _generation(place, found))
    _remove_leftovers(bucket, place)


def names(data: Address) -> list[str]:
    """The names of all data sets below an address."""
    folders = [name.removesuffix(SUFFIX) for name in Bucket(data).folders() if name.endswith(SUFFIX)]
    return [name for name in folders if pointer(data / f"{name}{SUFFIX}") is not None]


def _point(bucket: Bucket, place: Address, generation: str, digest: str, before: Stored | None) -> str:
    """Point the name to a generation; the one that it points to then."""
    content = json.dumps({"store": generation, "digest": digest}).encode()
    for _ in range(ATTEMPTS):
        try:
            bucket.write(POINTER, content, before.tag if before else None)
            return generation
        except (Conflict, Unreachable):
            found = pointer(place)
            if found == before:
                continue
            if found is None or _recorded(place, found)["digest"] != digest:
                raise Conflict(f"{place} holds other data under this name: choose another with --dataset") from None
            return _generation(place, found)  # this very one, where only the answer was lost
    raise StorageError(f"{place}/{POINTER} could not be written: the storage broke off {ATTEMPTS} times")


def _generation(place: Address, found: Stored) -> str:
    return _recorded(place, found)["store"]


def _recorded(place: Address, found: Stored) -> dict[str, str]:
    """What a pointer says. Raises DataError."""
    try:
        recorded = json.loads(found.content)
        if not all(isinstance(recorded[name], str) and recorded[name] for name in ("store", "digest")):
            raise ValueError("names are no texts")
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{place}/{POINTER} is damaged: it names no store") from None
    return {name: recorded[name] for name in ("store", "digest")}


def _remove_leftovers(bucket: Bucket, place: Address) -> None:
    """Remove what those left who were killed, as far as nothing was written there for long."""
    found = pointer(place)
    kept = _generation(place, found) if found else ""
    newest: dict[str, datetime] = {}
    for key, written in bucket.times().items():
        generation, slash, _ = key.partition("/")
        if slash and generation != kept:
            newest[generation] = max(written, newest.get(generation, written))
    for generation, written in newest.items():
        if datetime.now(UTC) - written > LEFTOVER:
            _remove_below(bucket, generation)


def _remove_below(bucket: Bucket, generation: str) -> None:
    """Remove the objects of a generation."""
    bucket.remove(*bucket.times(generation))
