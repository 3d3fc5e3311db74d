"""A file, or the part of it that the request's `Range` asks for (RFC 9110, section 14)."""

import re

from starlette.requests import Request
from starlette.responses import Response


def range_response(request: Request, content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """The response with a file. headers: those of any response; `If-Range` is compared with their `etag`.

    What isn't a range, several ranges at once, and a range of another version of the file get the whole: 200. A range
    that begins behind the end gets 416.
    """
    size = len(content)
    headers = {**headers, "accept-ranges": "bytes"}
    span = _parse_range(request.headers.get("range", ""), size)
    if span is None or request.headers.get("if-range", headers["etag"]) != headers["etag"]:
        return Response(content, media_type=media_type, headers=headers)
    start, stop = span
    if start >= size:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
    headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    return Response(content[start:stop], 206, headers, media_type)


def _parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Where a range starts and stops in a file of this size: `bytes=2-5`, `bytes=2-`, or the last two, `bytes=-2`."""
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text)
    first, last = match.groups() if match else ("", "")
    if not first:
        return (max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
