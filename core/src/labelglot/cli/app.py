"""Builds the typer application, runs it, and turns whatever happens into an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from labelglot.cli.session import FAILED, INTERRUPTED, Session

if TYPE_CHECKING:
    from labelglot.formats.registry import Registry

COMMANDS = ("convert", "inspect", "check", "formats", "loss", "diff", "new", "doctor")
"""Commands of the core, in the order of the help. Each is the function ``command`` of ``labelglot.cli.<name>``."""


def _version(wanted: bool) -> None:
    if wanted:
        from labelglot import __version__

        sys.stdout.write(f"labelglot {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Convert computer-vision datasets from any format into any other, and say what is lost on the way.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused because something would be lost (--lossless), 4 done but
    records were skipped, 6 something is wrong with the input (check).
    """


def application(session: Session, only: str | None = None) -> typer.Typer:
    """The application with all commands, or with the one that is going to run.

    Commands of plugins are asked for only when they may be needed: their modules have to be imported for it.
    """
    app = typer.Typer(
        name="labelglot",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    app.callback()(_root)
    for name in COMMANDS if only is None else (only,):
        module = importlib.import_module(f"labelglot.cli.{name}")
        app.command(name)(module.command)
    if only is None and session.may_have_plugin_commands():
        _add_plugin_commands(app, session)
    return app


def _add_plugin_commands(app: typer.Typer, session: Session) -> None:
    try:
        session.registry.hook.labelglot_commands(app=app)
    except Exception as error:
        session.crash(error)


def main(argv: Sequence[str] | None = None, registry: Registry | None = None) -> int:
    """Run the command line and return its exit code. ``registry``: the formats to use instead of those installed."""
    if argv is None:
        # A process of our own: objects come in millions and none of them is in a cycle.
        gc.set_threshold(100_000, 50, 100)
    arguments = list(sys.argv[1:] if argv is None else argv)
    session = Session(registry)
    try:
        app = application(session, arguments[0] if arguments and arguments[0] in COMMANDS else None)
        with session.interruptible():
            typer.main.get_command(app).main(arguments, prog_name="labelglot", obj=session)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else FAILED if ending.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _failed(session, error)
    finally:
        if argv is None:
            # Nor are they in one when the process ends: not to be looked through then.
            gc.freeze()
    return 0


def _failed(session: Session, error: Exception) -> int:
    from labelglot.errors import LabelglotError

    if isinstance(error, LabelglotError):
        return session.tell(error)
    if isinstance(error, OSError) and error.strerror:
        return session.tell(LabelglotError(error.strerror, error.filename and os.fsdecode(error.filename)))
    return session.crash(error)
