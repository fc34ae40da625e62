"""How the command line speaks: one console, one way to end with an error, quiet libraries."""

from __future__ import annotations

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


def fail(message: str, *, code: int = 2) -> NoReturn:
    """Print what is wrong and end with `code`."""
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """Print what is wrong, and go on."""
    errors.print("[bold red]error:[/] ", end="")
    errors.print(message, markup=False, soft_wrap=True)


def confirm(question: str, *, yes: bool) -> None:
    """Go on if a person says yes, or has said so by --yes; else end with 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} There is nobody to ask here; --yes answers.")
    if not typer.confirm(question):
        fail("nothing was done")


def clock(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def expected_errors() -> Iterator[None]:
    """End with a message instead of a traceback for errors that a person can do something about."""
    from library_pipeline.store.embedded import EmbeddedServerError  # noqa: PLC0415 - --help stays fast

    try:
        yield
    except (LibraryError, EmbeddedServerError) as error:
        fail(str(error))
    except psycopg.OperationalError as error:
        fail(f"the database does not answer: {str(error).strip()}")
    except FileNotFoundError as error:
        fail(f"{error.filename or error}: there is no such file")


def quiet_logs(*, verbose: bool) -> None:
    """Keep progress readable: what matters is in the final table, the rest with --verbose."""
    level = logging.INFO if verbose else logging.CRITICAL
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if not verbose:
        # Dagster warns of what it calls beta inside of itself; no reader can do anything about it.
        warnings.filterwarnings("ignore", module=r"dagster\.")
