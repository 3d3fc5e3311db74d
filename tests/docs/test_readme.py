"""What the README shows in Python runs against a service, and what it links to is there."""

import contextlib
import io
import re
from pathlib import Path

from PIL import Image

from tests.service.http.conftest import filled_home
from tests.service.http.serving import serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_client_s_lines_run_against_a_service(tmp_path: Path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").resize((28, 28)).save("shoe.png")
    printed = io.StringIO()
    with serving(filled_home(tmp_path / "home")) as http, contextlib.redirect_stdout(printed):
        address = re.search(r"http://[\d.:]+", code)
        assert address
        exec(compile(code.replace(address[0], str(http.base_url)), "README.md", "exec"), {})
    assert "lenet 1 0." in printed.getvalue()
    assert "probability=" in printed.getvalue()


def test_every_file_that_is_linked_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
