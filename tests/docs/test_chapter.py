"""The chapter: every snippet runs, prints what stands below it, and every picture is there."""

import contextlib
import doctest
import io
import re
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
CHAPTER = (DOCS / "chapter.md").read_text(encoding="utf-8")
SNIPPET = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[(.+?)\]\((\S+?)\)")


def test_every_snippet_prints_what_the_chapter_says():
    names: dict[str, object] = {"__name__": "chapter"}
    snippets = SNIPPET.findall(CHAPTER)
    assert len(snippets) == CHAPTER.count("```python") > 20
    same = doctest.OutputChecker().check_output
    for code, expected in snippets:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/chapter.md", "exec"), names)
        got = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
        assert same(expected.strip(), got.strip(), doctest.ELLIPSIS), f"{code}\nprinted\n{got}\ninstead of\n{expected}"


def test_every_picture_is_there_small_and_described():
    pictures = PICTURE.findall(CHAPTER)
    assert {path for _, path in pictures} == {f"pictures/{path.name}" for path in DOCS.glob("pictures/chapter-*")}
    for description, path in pictures:
        assert len(description) > 20
        assert (DOCS / path).stat().st_size < 150_000
        with Image.open(DOCS / path) as picture:
            assert picture.format in ("PNG", "GIF")
            assert picture.width >= 600
