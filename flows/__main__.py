"""`python -m flows` is the `atelier` command."""

from flows.command import main

main()
