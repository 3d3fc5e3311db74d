"""Where the four IDX files of a data set come from: the first place that has them.

A folder that the user names; or else, for a data set that is known: our cache, Debian's package if it is installed,
the publisher, and Debian's package fetched and unpacked without root. What is fetched goes to the cache, once its
digests are right: a proxy's error page must not be taken for the data, now or ever after.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx

from service.data.catalog import FILES, KNOWN, Known, check_digest
from service.data.formats.base import Say
from service.data.formats.idx import read_images, read_labels
from service.data.formats.idx_folder import find_files as files_in
from service.environment.proxies import http_client
from service.errors import DataError, InvalidInput
from service.files import new_folder
from service.home import Home

CONNECT_SECONDS = 5
READ_SECONDS = 20
FETCH_SECONDS = 300


def find_files(home: Home, dataset: str, source: Path | None, say: Say) -> dict[str, Path]:
    """The four files of a data set by their names in `catalog.FILES`.

    Raises InvalidInput for an unknown data set without a folder, DataError where no place has all four.
    """
    if source is not None:
        return files_in(source)
    if dataset not in KNOWN:
        raise cannot_be_fetched(dataset)
    known, cache = KNOWN[dataset], home.cache / dataset
    for folder in (cache, Path(known.package_folder)):
        if os.path.lexists(folder):
            try:
                files = _genuine(dataset, folder)
            except DataError as error:
                say(f"passing over {folder}: {error}")
                continue
            say(f"found {dataset} in {folder}")
            return files
    failures = []
    for name, fetch in (("its publisher", _from_publisher), ("Debian's package", _from_debian)):
        say(f"fetching {dataset} from {name}")
        try:
            with new_folder(cache) as draft:
                fetch(known, draft)
                _genuine(dataset, draft)
                shutil.rmtree(cache, ignore_errors=True)
            return files_in(cache)
        except (DataError, OSError) as error:
            failures.append(f"{name}: {error}")
    raise DataError(
        f"{dataset} could not be had ({'; '.join(failures)}); put the four IDX files into a folder and name it: "
        "atelier ingest --source FOLDER"
    )


def cannot_be_fetched(dataset: str) -> InvalidInput:
    """The error for a data set that only its user can bring."""
    return InvalidInput(
        f"data set {dataset!r} is not one that can be fetched ({', '.join(KNOWN)}): "
        f"bring it in with `atelier ingest --dataset {dataset} --source FOLDER`"
    )


def _genuine(dataset: str, folder: Path) -> dict[str, Path]:
    """The four files of a known data set. Raises DataError where one is missing, damaged or another's."""
    files = files_in(folder)
    for name, path in files.items():
        read = read_images if "images" in name else read_labels
        check_digest(dataset, name, path, read(path).digest)
    return files


def _from_publisher(known: Known, folder: Path) -> None:
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    failure = "no address is known"
    for url in known.urls:
        try:
            with http_client(timeout=timeout, follow_redirects=True) as client:
                for name in FILES:
                    _download(client, f"{url}/{name}.gz", folder / f"{name}.gz")
            return
        except (httpx.HTTPError, httpx.InvalidURL, InvalidInput) as error:
            failure = f"{url} failed: {str(error) or type(error).__name__}"
    raise DataError(failure)


def _download(client: httpx.Client, url: str, target: Path) -> None:
    with client.stream("GET", url) as response, target.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            file.write(chunk)


def _from_debian(known: Known, folder: Path) -> None:
    """Fetch the package with apt into folders of our own and unpack it there: no root, no change to the system."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("this is not a Debian-like system")
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        for name in ("lists/partial", "cache/archives/partial"):
            (work / name).mkdir(parents=True)
        apt = (
            "apt-get",
            "-qq",
            f"-oDir::State={work}",
            f"-oDir::State::lists={work / 'lists'}",
            "-oDir::State::status=/var/lib/dpkg/status",
            f"-oDir::Cache={work / 'cache'}",
            "-oDebug::NoLocking=1",
            "-oAcquire::http::Timeout=20",
            "-oAPT::Sandbox::User=",
        )
        _command(*apt, "update", folder=work)
        _command(*apt, "download", known.package, folder=work)
        package = next(work.glob(f"{known.package}_*.deb"), None)
        if package is None:
            raise DataError(f"apt-get brought no {known.package}")
        _command("dpkg-deb", "-x", str(package), str(work / "unpacked"), folder=work)
        files = files_in(work / "unpacked" / known.package_folder.lstrip("/"))
        for path in files.values():
            shutil.copyfile(path, folder / path.name)


def _command(*words: str, folder: Path) -> None:
    try:
        subprocess.run(  # noqa: S603  # our own words; apt-get and dpkg-deb come from the PATH on purpose
            words,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{words[0]} took more than {FETCH_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{words[0]} failed: {last}") from None
