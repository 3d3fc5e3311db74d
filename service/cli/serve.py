"""`atelier serve`"""

import os
import socket
from contextlib import suppress

import click

from service.cli.main import Context
from service.errors import AtelierError
from service.home import Home
from service.registry import Registry

BACKLOG = 2048
"""Connections that may wait to be accepted, as many as uvicorn's own default."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=7070, show_default=True, help="Port to listen on.")
@click.option("--token", envvar="ATELIER_API_TOKEN", default="", help="What writing takes; without one it is off.")
@click.option("--root-path", default="", help="Sub-path under which a proxy publishes it, such as /atelier.")
@click.option("--cors-origin", multiple=True, help="Origin whose pages may use the API; may be given several times.")
@click.pass_obj
def serve(context: Context, host: str, port: int, token: str, root_path: str, cors_origin: tuple[str, ...]) -> None:
    """Answer questions about the models, in the browser and over HTTP."""
    import uvicorn
    from threadpoolctl import threadpool_limits

    from service.http import Limits, create_app, request_limit_protocol
    from service.http.middleware.forwarded_prefix import valid_prefix

    prefix = valid_prefix(root_path)
    if prefix is None:
        raise click.BadParameter(f"must be a path such as /atelier, got {root_path!r}", param_hint="--root-path")
    home, limits = context.home, Limits()
    Registry(home.models).names()  # a server without its models is of no use
    app = create_app(home, token=token, limits=limits, root_path=prefix, cors_origins=cors_origin)
    config = uvicorn.Config(
        app,
        http=request_limit_protocol(limits),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    context.interruption.leave()
    with _listening_socket(host, port) as listening, threadpool_limits(1, user_api="blas"):
        # BLAS has one thread, because predictions at the same time would set the number for each other.
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}{prefix}/"
        click.echo(f"models and runs of {_places(home)} at {url}  (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):  # that is how it ends
            uvicorn.Server(config).run(sockets=[listening])


def _places(home: Home) -> str:
    """Where models and runs lie, for people."""
    if home.runs_elsewhere:
        return f"{home.models} and {home.runs}"
    return f"{home.root}, models of {home.models}" if home.elsewhere else str(home.root)


def _listening_socket(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. Raises AtelierError where the address can't be listened on."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # A name that can't be resolved has a number below 0; all other texts have the address once more.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise AtelierError(f"can't listen on {host}, port {port}: {reason.lower()}") from None
