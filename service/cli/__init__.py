"""The command line. Each command parses, makes one call, and renders."""

from service.cli.main import command
from service.cli.pipelines import Pipelines

__all__ = ["Pipelines", "command"]
