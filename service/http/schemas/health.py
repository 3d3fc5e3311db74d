"""What the server says of itself."""

from typing import Literal

from service import __version__
from service.http.schemas.form import Answer, content, success


class Health(Answer):
    """That the server answers, and which version it is."""

    status: Literal["ok"]
    version: str


HEALTH = success(Health(status="ok", version=__version__))
METRICS = content({"text/plain": 'atelier_requests_total{route="/health",status="200"} 1.0\n'})
