"""The gallery and the API behind a real nginx, under a sub-path."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.client import Atelier
from service.home import Home
from tests.service.http.conftest import RUN
from tests.service.http.serving import serving

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian's package nginx-light)")

CONFIG = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 16m;
  server {{
    listen 127.0.0.1:{port};
    location /team/atelier/ {{
      proxy_pass http://127.0.0.1:{upstream}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Prefix /team/atelier;
    }}
    location /whole/ {{ proxy_pass http://127.0.0.1:{upstream}; proxy_set_header X-Forwarded-Prefix /whole; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def proxy(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx, which takes the first sub-path off and passes the second on."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(home) as service:
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, upstream=service.base_url.port))
        process = subprocess.Popen([str(NGINX), "-e", str(folder / "error.log"), "-c", str(config)])
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
                wait_until_it_answers(client, process)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def wait_until_it_answers(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert process.poll() is None, "nginx did not start"
        try:
            client.get("/")
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("nginx does not answer")


@pytest.mark.parametrize("prefix", ["/team/atelier", "/whole"])
@pytest.mark.parametrize("path", ["/", "/models/lenet", "/compare", "/try", "/runs", f"/runs/{RUN}"])
def test_every_link_of_a_page_leads_somewhere(proxy: httpx.Client, prefix: str, path: str) -> None:
    page = proxy.get(prefix + path)
    assert page.status_code == 200
    for link in set(re.findall(r'(?:href|src)="(/[^"#]*)"', page.text)):
        assert proxy.get(link.replace("&amp;", "&")).status_code == 200, link


def test_the_client_takes_the_address_with_the_sub_path(proxy: httpx.Client, tmp_path: Path) -> None:
    with Atelier(f"{str(proxy.base_url).rstrip('/')}/team/atelier") as atelier:
        assert [model.name for model in atelier.models(tag="small")] == ["lenet"]
        assert atelier.download("lenet", "config.json", tmp_path / "config.json").stat().st_size > 0
        assert atelier.predict("lenet", np.full((28, 28), 9, np.uint8) + np.arange(28, dtype=np.uint8))


def test_predictions_and_events_come_through(proxy: httpx.Client) -> None:
    body = {"pixels": [[0] * 28] * 28}
    assert proxy.post("/team/atelier/api/models/lenet/predict", json=body).status_code == 200
    assert "event: end" in proxy.get(f"/team/atelier/api/runs/{RUN}/events").text
