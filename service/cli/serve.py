"""`atelier serve`"""

import click

from service.cli.main import Context
from service.registry import Registry


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=7070, show_default=True, help="Port to listen on.")
@click.option("--token", envvar="ATELIER_API_TOKEN", default="", help="What writing takes; without one it is off.")
@click.pass_obj
def serve(context: Context, host: str, port: int, token: str) -> None:
    """Answer questions about the models, in the browser and over HTTP."""
    import uvicorn
    from threadpoolctl import threadpool_limits

    from service.http import HeaderLimitProtocol, create_app

    home = context.home
    home.prepare()
    Registry(home.models).names()  # a server without its models is of no use
    apart = f", models of {home.models}" if home.elsewhere else ""
    click.echo(f"models and runs of {home.root}{apart} at http://{host}:{port}/  (Ctrl-C ends it)")
    app = create_app(home, token=token)
    with threadpool_limits(1, user_api="blas"):  # predictions at the same time would set it for each other
        uvicorn.run(
            app,
            host=host,
            port=port,
            http=HeaderLimitProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
