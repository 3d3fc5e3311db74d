"""Whether the server is well, and its figures."""

from typing import Literal

from service import __version__
from service.http.schemas.base import ResponseModel, content, success


class Health(ResponseModel):
    """The server answers and can read its models. version: the server's own."""

    status: Literal["ok"]
    version: str


HEALTH = success(Health(status="ok", version=__version__))
METRICS = content({"text/plain": 'atelier_requests_total{route="/health",status="200"} 1.0\n'})
