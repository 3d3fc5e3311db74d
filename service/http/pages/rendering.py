"""The gallery's templates, rendered."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse


class Pages:
    """Renders a template into a response."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"percent": lambda share: f"{100 * share:.1f}", "figure": figure}

    def response(self, request: Request, template: str, **context: Any) -> HTMLResponse:
        """A page. Its links begin with `prefix`, the sub-path under which a proxy publishes the service."""
        prefix = request.scope["root_path"]
        origin = f"{request.url.scheme}://{request.url.netloc}"
        page = self._environment.get_template(template).render(prefix=prefix, address=f"{origin}{prefix}", **context)
        return HTMLResponse(page)


def figure(value: float, digits: int = 4) -> str:
    """A number with so many decimals; a loss that has diverged in a form that doesn't burst its table."""
    return f"{value:.{digits}f}" if abs(value) < 10_000 else f"{value:.2g}"
