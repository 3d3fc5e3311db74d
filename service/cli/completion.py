"""`atelier completion`"""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_ATELIER_COMPLETE"
"""By this variable of the environment the script has the command answer what could come next."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, runs and models in a shell.

    For bash, put `eval "$(atelier completion bash)"` into ~/.bashrc; for zsh likewise into ~/.zshrc; for fish,
    `atelier completion fish | source` into ~/.config/fish/config.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(context.find_root().command, {}, "atelier", VARIABLE).source())
