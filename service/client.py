"""A client for the HTTP service.

from service.client import Atelier

with Atelier("http://localhost:7070") as atelier:
    for model in atelier.models(min_accuracy=0.85):
        print(model.name, model.version, model.metrics["test_accuracy"])
    print(atelier.predict("lenet", "picture.png"))
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from service.environment.proxies import LOOPBACK, http_client
from service.errors import AtelierError, Conflict, DataError, InvalidInput, NotFound
from service.model_ref import ModelRef

ERRORS: dict[int, type[AtelierError]] = {
    404: NotFound,
    409: Conflict,
    413: InvalidInput,
    415: InvalidInput,
    422: InvalidInput,
}


class UnlikeTraining(UserWarning):
    """An image is unlike those that the model was trained on: its prediction means little."""


@dataclass(frozen=True)
class Model:
    """A version as the service lists it."""

    name: str
    version: int
    aliases: tuple[str, ...]
    created: str
    dataset: str
    class_names: tuple[str, ...]
    metrics: dict[str, float]
    tags: tuple[str, ...]
    lineage: dict[str, Any]
    files: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Guess:
    """A class and its probability."""

    label: str
    probability: float


class Atelier:
    """One service. A context manager. Every error of the service is an `AtelierError` of one line."""

    def __init__(self, url: str = "http://127.0.0.1:7070", *, token: str = "", timeout_s: float = 30.0) -> None:
        """Name a service; no connection is made yet.

        Args:
            url: Its address. One of this machine is asked directly, whatever proxy the environment names.
            token: What writing takes.
            timeout_s: How long an answer may take, in seconds.

        Raises:
            InvalidInput: The environment names a proxy that can't be used.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        direct = httpx.URL(url).host in LOOPBACK
        self._http = http_client(base_url=url, headers=headers, timeout=timeout_s, trust_env=not direct)

    def __enter__(self) -> "Atelier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def models(
        self, *, dataset: str = "", min_accuracy: float = 0.0, tag: str = "", sort: str = "-created"
    ) -> Iterator[Model]:
        """Every version that matches, page after page."""
        query = {"dataset": dataset, "min_accuracy": min_accuracy, "tag": tag, "sort": sort, "limit": 100}
        cursor = ""
        while True:
            page = self._request("GET", "/api/models", params={**query, "cursor": cursor}).json()
            yield from (_model(item) for item in page["items"])
            cursor = page["cursor"]
            if not cursor:
                return

    def model(self, label: str) -> Model:
        """One version: `name`, `name:version` or `name:alias`. Raises NotFound."""
        ref = ModelRef.parse(label)
        return _model(self._request("GET", f"/api/models/{ref.name}/versions/{ref.version}").json())

    def predict(
        self, label: str, image: str | Path | bytes | NDArray[Any], top: int = 3, scale: float | None = None
    ) -> list[Guess]:
        """The most probable classes of one image.

        Args:
            label: `name`, `name:version` or `name:alias`.
            image: A picture file (path or bytes: PNG, JPEG, GIF, WebP, BMP or TIFF), or pixels (h, w), in colour
                (h, w, 3).
            top: How many classes.
            scale: What stands for white in pixels, such as 1.0; 255 if it isn't given.

        Warns:
            UnlikeTraining: Where the image is unlike those that the model was trained on.
        """
        if isinstance(image, np.ndarray):
            return self.predict_many(label, image[None], top, scale)[0]
        content = image if isinstance(image, bytes) else Path(image).read_bytes()
        # What it is, the service finds in its first bytes.
        return self._predict(label, top, content=content, headers={"content-type": "image/png"})[0]

    def predict_many(
        self, label: str, images: NDArray[Any], top: int = 3, scale: float | None = None
    ) -> list[list[Guess]]:
        """The same for the pixels of several images (n, h, w), or (n, h, w, 3) in colour."""
        body = {"pixels": images.tolist()} if scale is None else {"pixels": images.tolist(), "scale": scale}
        return self._predict(label, top, json=body)

    def download(self, label: str, file: str, target: Path) -> Path:
        """Fetch one of a version's files. Raises DataError where it arrived other than it was published."""
        model = self.model(label)
        content = self._request("GET", f"/api/models/{model.name}/versions/{model.version}/files/{file}").content
        if sha256(content).hexdigest() != model.files[file]["sha256"]:
            raise DataError(f"{file} of {label} did not arrive whole")
        target.write_bytes(content)
        return target

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Have an alias stand for a version; the service's token is needed."""
        self._request("PUT", f"/api/models/{name}/aliases/{alias}", json={"version": version})

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away; the service's token is needed."""
        self._request("DELETE", f"/api/models/{name}/aliases/{alias}")

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs, at most 50; those with damaged files are left out."""
        items: list[dict[str, Any]] = self._request("GET", "/api/runs").json()["items"]
        return items

    def _predict(self, label: str, top: int, **body: Any) -> list[list[Guess]]:
        ref = ModelRef.parse(label)
        params = {"version": ref.version, "top": top}
        answer = self._request("POST", f"/api/models/{ref.name}/predict", params=params, **body).json()
        for number, texts in enumerate(answer.get("warnings", ())):
            for text in texts:
                warnings.warn(f"image {number}: {text}", UnlikeTraining, stacklevel=4)
        return [[Guess(**guess) for guess in guesses] for guesses in answer["predictions"]]

    def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise AtelierError(f"{self._http.base_url} can't be reached: {error}") from None
        if response.is_success:
            return response
        try:
            detail = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"the service answered {response.status_code}"
        raise ERRORS.get(response.status_code, AtelierError)(detail)


def _model(item: dict[str, Any]) -> Model:
    tuples = {key: tuple(item[key]) for key in ("aliases", "class_names", "tags")}
    return Model(**{key: tuples.get(key, item[key]) for key in Model.__dataclass_fields__})
