"""The commands of `library-pipeline source`; each one's work is in a module of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from library_pipeline.cli.console import expected_errors, fail

source = typer.Typer(
    help="Show the sources of components, check what is understood of them, preview them.",
    no_args_is_help=True,
)

Name = Annotated[
    str | None,
    typer.Argument(help="A source, as `source list` shows it; may be left out if there is one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@source.command("list")
def list_(json: Json = False) -> None:
    """Show every configured source: where it is, what it listed last, why it could not be read.

    Starts no database: without one that runs, the configuration is shown alone.
    """
    from library_pipeline.cli.source.listed import list_sources  # noqa: PLC0415 - --help stays fast

    with expected_errors():
        list_sources(as_json=json)


@source.command()
def check(
    name: Name = None,
    items: Annotated[int, typer.Option(min=0, help="Show at most this many items.")] = 10,
    all_: Annotated[bool, typer.Option("--all", help="Check every source.")] = False,
    json: Json = False,
) -> None:
    """Read a source's first page and show, item by item, what was understood and what was not.

    Ends with 1 if nothing usable was found. Changes nothing.
    """
    from library_pipeline.cli.source.check import check_sources  # noqa: PLC0415
    from library_pipeline.cli.source.choosing import chosen  # noqa: PLC0415
    from library_pipeline.settings import load_settings  # noqa: PLC0415

    with expected_errors():
        settings = load_settings()
        names = chosen(settings, name, every=all_)
        ok = check_sources(settings, names, items=items, as_json=json)
    raise typer.Exit(0 if ok else 1)


@source.command()
def preview(
    name: Name = None,
    items: Annotated[int, typer.Option(min=1, max=200, help="Show so many components.")] = 12,
    output: Annotated[
        Path | None,
        typer.Option(help="Write a page with the pictures to this .html file, for a browser."),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page of --output in the browser.")
    ] = False,
) -> None:
    """Download the first screenshots of a source and show them: in the terminal, or as a page.

    Ends with 1 if there was nothing to show. Changes nothing.
    """
    from library_pipeline.cli.source.choosing import chosen  # noqa: PLC0415
    from library_pipeline.cli.source.preview import preview_source  # noqa: PLC0415
    from library_pipeline.settings import load_settings  # noqa: PLC0415

    if open_ and output is None:
        fail("--open opens the page that --output writes; name a file by --output FILE.html")
    with expected_errors():
        settings = load_settings()
        (one,) = chosen(settings, name, every=False)
        ok = preview_source(settings, one, items=items, output=output, in_browser=open_)
    raise typer.Exit(0 if ok else 1)
