"""The command line. One module per command; each imports what is heavy when it runs, so that ``--help`` is instant."""

from labelglot.cli.app import main

__all__ = ["main"]
