"""The output of every command: the console, JSON, questions, and the end with an error."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
import structlog
import typer
from rich.console import Console

from library_pipeline.catalog.errors import LibraryError

console = Console(highlight=False, emoji=False)
errors = Console(stderr=True, highlight=False, emoji=False)


def fail(message: str) -> NoReturn:
    """Print an error to stderr and end the program with 2."""
    complain(message)
    raise typer.Exit(2)


def complain(message: str) -> None:
    """Print an error to stderr."""
    errors.print("[bold red]error:[/] ", end="")
    errors.print(message, markup=False, soft_wrap=True)


def print_json(value: object, *, ascii_only: bool = False) -> None:
    """Print JSON; with `ascii_only`, a text from outside cannot steer the terminal."""
    console.print_json(json.dumps(value, default=str), ensure_ascii=ascii_only)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person, unless `yes` is set; end the program with 2 if the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} There is no terminal for an answer; confirm with --yes.")
    if not typer.confirm(question):
        fail("nothing was done")


def clock(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def expected_errors() -> Iterator[None]:
    """End with a message instead of a traceback, for errors that a person can correct."""
    from library_pipeline.embedded_server import EmbeddedServerError  # noqa: PLC0415 - --help stays fast

    try:
        yield
    except (LibraryError, EmbeddedServerError) as error:
        fail(str(error))
    except psycopg.OperationalError as error:
        fail(f"the database does not answer: {str(error).strip()}")
    except FileNotFoundError as error:
        fail(f"{error.filename or error}: there is no such file")


def quiet_logs(*, verbose: bool) -> None:
    """Show log lines only with --verbose, so that progress stays readable."""
    level = logging.INFO if verbose else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if not verbose:
        # Dagster warns of beta features that it uses itself; a user cannot act on that.
        warnings.filterwarnings("ignore", module=r"dagster\.")
