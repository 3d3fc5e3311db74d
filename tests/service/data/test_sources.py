"""Where data come from, with stand-ins for the network: what they bring, and what must not be believed."""

from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest

from service.data import ingest, sources
from service.data.catalog import FASHION_MNIST, FILES, Known
from service.data.formats.idx import read_images, read_labels
from service.errors import DataError
from service.home import Home
from tests.data import write_idx_dataset

CLIENT = httpx.Client


@pytest.fixture
def warm_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a small data set that takes Fashion-MNIST's place; no package of it is installed."""
    folder = tmp_path / "warm_start"
    write_idx_dataset(folder)
    digests = {name: (read_images if "images" in name else read_labels)(folder / f"{name}.gz").digest for name in FILES}
    known = Known(
        class_names=FASHION_MNIST.class_names,
        digests=MappingProxyType(digests),
        urls=("http://publisher.test/files",),
        package="dataset-fashion-mnist",
        package_folder=str(tmp_path / "installed"),
    )
    for module in ("sources", "ingest", "catalog"):
        monkeypatch.setattr(import_module(f"service.data.{module}"), "KNOWN", {"fashion-mnist": known})
    return folder


def publisher(monkeypatch: pytest.MonkeyPatch, answer) -> None:
    monkeypatch.setattr(httpx, "Client", lambda **_: CLIENT(transport=httpx.MockTransport(answer)))


def serving(folder: Path):
    return lambda request: httpx.Response(200, content=(folder / request.url.path.rpartition("/")[2]).read_bytes())


def no_debian(known: Known, folder: Path) -> None:
    raise DataError("this is not a Debian-like system")


def test_what_the_publisher_has_goes_to_the_cache_and_is_taken_from_there(home: Home, warm_start, monkeypatch):
    publisher(monkeypatch, serving(warm_start))
    info = ingest(home)
    assert info.class_names == FASHION_MNIST.class_names
    publisher(monkeypatch, lambda request: pytest.fail(f"asked again for {request.url}"))
    (info.path / "zarr.json").unlink()
    assert ingest(home) == info


def test_a_page_in_place_of_the_data_is_not_kept(home: Home, warm_start, monkeypatch):
    publisher(monkeypatch, lambda request: httpx.Response(200, text="<html>please log in</html>"))
    monkeypatch.setattr(sources, "_from_debian", no_debian)
    with pytest.raises(DataError, match=r"its publisher: .* is not an IDX file") as caught:
        ingest(home)
    assert "--source" in str(caught.value)
    assert not (home.cache / "fashion-mnist").exists()
    publisher(monkeypatch, serving(warm_start))
    assert ingest(home).train == 300


def test_debians_package_comes_after_the_publisher(home: Home, warm_start, monkeypatch):
    publisher(monkeypatch, lambda request: httpx.Response(404))
    monkeypatch.setattr(sources, "_from_debian", lambda known, folder: write_idx_dataset(folder))
    said: list[str] = []
    assert ingest(home, progress=said.append).train == 300
    assert [message for message in said if "fetching" in message] == [
        "fetching fashion-mnist from its publisher",
        "fetching fashion-mnist from Debian's package",
    ]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:100])])
def test_a_damaged_cache_is_fetched_anew(home: Home, warm_start, monkeypatch, damage):
    write_idx_dataset(home.cache / "fashion-mnist")
    damage(home.cache / "fashion-mnist" / "t10k-images-idx3-ubyte.gz")
    publisher(monkeypatch, serving(warm_start))
    said: list[str] = []
    assert ingest(home, progress=said.append).test == 60
    assert any("passing over" in message and "t10k-images" in message for message in said)


def test_an_installed_package_is_used_without_asking_anyone(home: Home, warm_start, monkeypatch):
    warm_start.rename(sources.KNOWN["fashion-mnist"].package_folder)
    publisher(monkeypatch, lambda request: pytest.fail(f"asked for {request.url}"))
    assert ingest(home).train == 300


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("spelled", ["-idx", ".idx"])
def test_files_are_found_under_either_spelling(home: Home, tmp_path: Path, ending, spelled):
    folder = tmp_path / "named"
    write_idx_dataset(folder, gz=bool(ending))
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", spelled))
    assert ingest(home, dataset="blobs", source=folder).train == 300


def test_a_folder_that_lacks_files_is_told_which(tmp_path: Path, home: Home):
    write_idx_dataset(tmp_path / "some")
    (tmp_path / "some" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="some lacks t10k-labels-idx1-ubyte "):
        ingest(home, dataset="blobs", source=tmp_path / "some")
