"""How the command line talks: results to stdout, everything else to stderr, and no traceback for what a person can mend."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from qc.errors import ConfigurationError, Transient


class Voice(logging.Handler):
    """What the flows have to say on the way goes to stderr, whatever that is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=True)


def page_options() -> dict[str, Any]:
    """Return colour and width for stdout: plain and unwrapped unless it is a terminal."""
    terminal = sys.stdout.isatty()
    if not terminal:
        return {"colour": False, "width": 0}
    from flows.terminal import terminal_width

    return {"colour": "NO_COLOR" not in os.environ, "width": terminal_width()}


@contextmanager
def errors_in_words() -> Iterator[None]:
    """What is wrong with call or configuration is said in sentences, all of it, and ends with exit code 2."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"pacsqc: {problem}", err=True)
        raise typer.Exit(2) from error
    except Transient as error:
        typer.echo(f"pacsqc: {error}; try again later", err=True)
        raise typer.Exit(1) from error


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a function that shows progress on stderr; None unless that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from flows.bar import bar

    with bar(title) as tell:
        yield tell


def set_up() -> None:
    """Let the flows speak on stderr, and streams show ? for a sign that they cannot."""
    logger = logging.getLogger("flows")
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Prefect has a handler of its own, which would say it again
    logger.handlers = [Voice()]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
