"""What goes wrong with object storage, in one line: the library's own messages have pages."""

import re

from service.errors import Conflict, NotFound, StorageError

BUSY = re.compile(r"non-2xx status code: (429|5(?!01)\d\d)")
"""What the library says where a storage has too much to do, or fails."""

UNKNOWN = "non-2xx status code: 501"
"""Where it doesn't know what it was asked for."""

OUT_OF_RANGE = ("InvalidRange", " 416 ", "non-partial response")
"""What the library says where a storage has nothing in a range; the last of them of some storages' empty objects."""


class Unreachable(StorageError):
    """A storage didn't answer, or its answer broke off."""


class Unsteady(Unreachable):
    """A storage is there, but is busy, or its answer broke off. What was asked for may be done all the same."""


class Unsupported(StorageError):
    """A storage doesn't know a kind of request."""


class OutOfRange(StorageError):
    """An object ends before the part that was asked for."""


def as_storage_error(error: Exception, root: str, key: str) -> StorageError | NotFound | Conflict:
    """The error that stands for one of the library's.

    Args:
        error: the library's, or FileNotFoundError.
        root: the address that was asked.
        key: the object that it was asked for.
    """
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    message = str(error)
    code = re.search(r"<Code>(\w+)</Code>", message)
    if code and code[1] == "NoSuchBucket":
        return StorageError(f"there is no bucket for {root}: make it first, or name another")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{key} isn't there")
    if isinstance(error, (AlreadyExistsError, PreconditionError)):
        return Conflict(f"{key} was changed by somebody else")
    if any(sign in message for sign in OUT_OF_RANGE):
        return OutOfRange(key)
    if "response body error" in message:
        return Unsteady(f"{root} broke off an answer")
    kind = StorageError
    if BUSY.search(message):
        kind = Unsteady
    elif UNKNOWN in message:
        kind = Unsupported
    elif "HTTP error" in message:
        kind = Unreachable
    return kind(f"{root} {_reason(message, code[1] if code else '')}")


def _reason(message: str, code: str) -> str:
    """What is wrong, from the library's message and the storage's own code for it."""
    if " 401 " in message or " 403 " in message:
        return f"refuses ({code or 'access denied'}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
    if "Missing" in message or "/latest/" in message:  # one half of a key, or a question to Amazon's machines
        return "needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if "HTTP error" in message:
        address = re.search(r"https?://[^/\s]+", message)
        return f"can't be reached{f' at {address[0]}' if address else ''}: check AWS_ENDPOINT_URL"
    if busy := BUSY.search(message):
        return f"{'is asked too often' if busy[1] == '429' else f'fails with status {busy[1]}'}: try again later"
    return f"can't be used: {code or message.splitlines()[0]}"
