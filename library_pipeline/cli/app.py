"""Every command and its options. A command imports its module when it runs, for a fast --help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from library_pipeline import __version__
from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.cli.console import confirm, console, expected_errors, fail

app = typer.Typer(
    help="Keep a visual index of a CMS's component library, and search it by picture.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they could show secrets
)
encoders = typer.Typer(
    help="Show the encoders, switch search to another one, delete those no longer used.",
    no_args_is_help=True,
)
sources = typer.Typer(
    help="Show the sources of components, check how their items are read, preview them.",
    no_args_is_help=True,
)
app.add_typer(encoders, name="encoders")
app.add_typer(sources, name="source")

Only = Annotated[
    list[str] | None, typer.Option(help="Only the component with this id; may be repeated.")
]
Client = Annotated[str | None, typer.Option(help="Only components of this client.")]
Category = Annotated[str | None, typer.Option(help="Only components of this category.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many components.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print log lines while the command works.")
]
SourceName = Annotated[
    str | None,
    typer.Argument(
        help="The name of a source, from `source list`; not needed if there is only one."
    ),
]
Fingerprint = Annotated[
    str | None,
    typer.Argument(help="A fingerprint or its beginning; by default the candidate with that name."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def main() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def _about(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


@app.command()
def refresh(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Check every component, not only the changed ones.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Download and embed unchanged components again; implies --full."
        ),
    ] = False,
    only: Only = None,
    client: Client = None,
    category: Category = None,
    limit: Limit = None,
    yes: Yes = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Bring the index up to date with the CMS.

    The exit code is 1 if a component failed or one of several sources could not be read.
    """
    from library_pipeline.cli.refresh import refresh_library  # noqa: PLC0415

    scope = RefreshScope(client=client, category=category, limit=limit, only=tuple(only or ()))
    if force:
        confirm("Download and embed everything in scope again?", yes=yes)
    with expected_errors():
        result = refresh_library(
            "full" if full or force else "incremental",
            scope,
            force=force,
            as_json=json,
            verbose=verbose,
        )
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def retry(
    *,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Include failed components that are not due yet, and permanent failures."
        ),
    ] = False,
    only: Only = None,
    client: Client = None,
    category: Category = None,
    limit: Limit = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Try failed components again: those whose next try is due, or with --now all of them."""
    from library_pipeline.cli.refresh import refresh_library  # noqa: PLC0415

    scope = RefreshScope(
        client=client, category=category, limit=limit, only=tuple(only or ()), due_only=not now
    )
    with expected_errors():
        result = refresh_library("retry", scope, as_json=json, verbose=verbose)
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def reembed(limit: Limit = None, json: Json = False, verbose: Verbose = False) -> None:
    """Compute the vectors that searchable components lack for an encoder, without the CMS."""
    from library_pipeline.cli.refresh import refresh_library  # noqa: PLC0415

    with expected_errors():
        result = refresh_library(
            "reembed", RefreshScope(limit=limit), as_json=json, verbose=verbose
        )
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def cancel(
    refresh_id: Annotated[
        str | None,
        typer.Argument(help="The id of a refresh, from `status`; by default every running one."),
    ] = None,
) -> None:
    """Stop a refresh, on any machine, after its current work; keep the finished work."""
    from library_pipeline.cli.refresh import cancel_refreshes  # noqa: PLC0415

    with expected_errors():
        cancel_refreshes(refresh_id)


@app.command()
def approve(yes: Yes = False, json: Json = False, verbose: Verbose = False) -> None:
    """Remove the components that a refresh kept because too many left the CMS at once."""
    from library_pipeline.cli.refresh import approve_held  # noqa: PLC0415

    with expected_errors():
        result = approve_held(yes=yes, as_json=json, verbose=verbose)
    raise typer.Exit(0 if result is None or result.ok else 1)


@app.command()
def gc(
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be deleted.")
    ] = False,
) -> None:
    """Delete bundles, vectors and records that are no longer used."""
    from library_pipeline.cli.housekeeping import delete_garbage  # noqa: PLC0415

    with expected_errors():
        delete_garbage(yes=yes, dry_run=dry_run)


@app.command()
def search(  # noqa: PLR0913 - each is an option
    *,
    picture: Annotated[
        list[Path] | None,
        typer.Argument(help="PNG, JPEG, WebP or GIF files.", show_default=False),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Words; may be repeated.")] = None,
    like: Annotated[
        list[str] | None, typer.Option(help="The id of a component to resemble; may be repeated.")
    ] = None,
    not_picture: Annotated[
        list[Path] | None, typer.Option(help="A picture that results should not resemble.")
    ] = None,
    not_text: Annotated[
        list[str] | None, typer.Option(help="Words that results should not fit.")
    ] = None,
    not_like: Annotated[
        list[str] | None, typer.Option(help="The id of a component not to resemble.")
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(
            help="The part of the pictures to compare: LEFT,TOP,RIGHT,BOTTOM, each as a share of "
            "the width or height from 0 to 1."
        ),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="The number of results on a page.")
    ] = 10,
    page: Annotated[int, typer.Option(min=1, max=1000, help="The number of the page.")] = 1,
    least_score: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Leave out results with a lower score.")
    ] = None,
    collapse: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help="Show only one of several components that are at least this similar; 0.98 means "
            "nearly identical.",
        ),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(help="Only components of this client; repeat it to allow several."),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Only components of this category; repeat it to allow several."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Only components from this source; repeat it to allow several."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only components with this tag; repeat it to require several."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="Only components with this attribute, as NAME=VALUE; repeat it to require several."
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="The weight of an encoder, as NAME=NUMBER; may be repeated. Encoders without a "
            "weight are left out. By default the weights of the settings hold."
        ),
    ] = None,
    json: Json = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Also write the results as a picture, to this PNG file.")
    ] = None,
) -> None:
    """Find the components that look like a picture, fit a text or resemble a component.

    Several examples make one search: `search shot.png --text "in dark" --not-like footer-3`.
    """
    from library_pipeline.cli.search_command import SearchQuestion, search_library  # noqa: PLC0415
    from library_pipeline.search.query import (  # noqa: PLC0415
        Query,
        parse_attributes,
        parse_crop,
        parse_weights,
    )
    from library_pipeline.search.ranking import Filters  # noqa: PLC0415

    if not (picture or text or like):
        fail("give at least one of PICTURE, --text, --like")
    with expected_errors():
        question = SearchQuestion(
            tuple(picture or ()),
            tuple(text or ()),
            tuple(like or ()),
            tuple(not_picture or ()),
            tuple(not_text or ()),
            tuple(not_like or ()),
            parse_crop(crop) if crop else None,
        )
        terms = Query(
            tuple(question.examples()),
            k=k,
            skip=(page - 1) * k,
            least_score=least_score,
            filters=Filters(
                clients=tuple(client or ()),
                categories=tuple(category or ()),
                sources=tuple(source or ()),
                tags=tuple(tag or ()),
                attributes=parse_attributes(attribute or ()),
            ),
            weights=parse_weights(weight or ()) or None,
            collapse=collapse,
        )
        search_library(question, terms, as_json=json, sheet=sheet)


@app.command()
def status(
    json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow the refreshes until Ctrl-C.")
    ] = False,
) -> None:
    """Show the state of the index, the last refreshes and the failed components."""
    from library_pipeline.cli.status import show_status, watch_refreshes  # noqa: PLC0415

    if json and watch:
        fail("use --json or --watch, not both")
    with expected_errors():
        if watch:
            watch_refreshes()
        else:
            show_status(as_json=json)


@app.command()
def doctor(
    *,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Also load the encoders (downloads missing models) and embed a picture."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check everything that a library needs, and name each problem with a way out.

    The exit code is 1 if there is a problem.
    """
    from library_pipeline.cli.doctor.run import run_doctor  # noqa: PLC0415

    raise typer.Exit(0 if run_doctor(deep=deep, as_json=json) else 1)


@app.command()
def dev(
    demo: Annotated[
        bool, typer.Option("--demo", help="Use the demo library, with its sample CMS.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    search_port: Annotated[int, typer.Option(help="Port of the search page.")] = 8400,
) -> None:
    """Run the Dagster UI and daemon, and the search page, until Ctrl-C."""
    from library_pipeline.cli.dev import run_dev  # noqa: PLC0415

    with expected_errors():
        raise typer.Exit(run_dev(demo=demo, port=port, search_port=search_port))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the search page.")] = 8400,
) -> None:
    """Serve the search page."""
    from library_pipeline.web.service import serve as run  # noqa: PLC0415

    with expected_errors():
        run(host, port)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="The folder of the demo and its results.")] = Path(
        "demo"
    ),
) -> None:
    """Index the sample library end to end, change it, refresh it and search it."""
    from library_pipeline.cli.demo import run_demo  # noqa: PLC0415

    with expected_errors():
        raise typer.Exit(run_demo(folder))


@app.command()
def sample_cms(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of bundles; by default the sample library.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8100,
    token: Annotated[
        str | None,
        typer.Option(envvar="SAMPLE_CMS_TOKEN", help="Require this bearer token."),
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="Offer POST /_faults, which switches faults on.")
    ] = False,
) -> None:
    """Serve a folder of bundles as a CMS: a reference for your own, or a CMS to try the program."""
    from library_pipeline.sample_cms.server import serve as run  # noqa: PLC0415
    from library_pipeline.shipped import shipped  # noqa: PLC0415

    with expected_errors():
        bundles = folder or shipped("sample_library") / "components"
        if not bundles.is_dir():
            fail(f"{bundles} is not a folder; docs/cms.md describes its content")
        run(bundles, host=host, port=port, token=token, allow_faults=faults)


@app.command()
def env() -> None:
    """Start the embedded server for this shell and print the variables that point to it.

    Use it as: eval "$(library-pipeline env)"
    """
    from library_pipeline.cli.dev import print_environment  # noqa: PLC0415

    with expected_errors():
        print_environment()


@encoders.command("list")
def list_encoders(
    json: Json = False,
) -> None:
    """Show every encoder: coverage, dimension, fingerprint, size, and whether search uses it."""
    from library_pipeline.cli import housekeeping  # noqa: PLC0415

    with expected_errors():
        housekeeping.list_encoders(as_json=json)


@encoders.command()
def activate(
    name: Annotated[
        str | None, typer.Argument(help="The name of an encoder in the configuration.")
    ] = None,
    fingerprint: Fingerprint = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Activate every candidate that covers all components.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Activate it even if it does not cover all components."),
    ] = False,
) -> None:
    """Make search use another encoder: a candidate, or an earlier one that still has vectors."""
    from library_pipeline.cli.housekeeping import activate_encoders  # noqa: PLC0415

    if auto == (name is not None):
        fail("give the NAME of an encoder or --auto, not both")
    with expected_errors():
        activate_encoders(name, fingerprint, incomplete=yes)


@encoders.command()
def drop(
    name: Annotated[str, typer.Argument(help="The name of an encoder, from `encoders list`.")],
    fingerprint: Annotated[str, typer.Argument(help="Its fingerprint or the beginning of it.")],
    yes: Yes = False,
) -> None:
    """Delete an encoder that search does not use, with its vectors and their index."""
    from library_pipeline.cli.housekeeping import drop_encoder  # noqa: PLC0415

    with expected_errors():
        drop_encoder(name, fingerprint, yes=yes)


@sources.command("list")
def list_sources(json: Json = False) -> None:
    """Show every configured source: its address, its last manifest, and why it could not be read.

    Starts no database; if none runs, it shows only the configuration.
    """
    from library_pipeline.cli.source import overview  # noqa: PLC0415

    with expected_errors():
        overview.list_sources(as_json=json)


@sources.command()
def check(
    name: SourceName = None,
    items: Annotated[int, typer.Option(min=0, help="Show at most this many items.")] = 10,
    all_: Annotated[bool, typer.Option("--all", help="Check every source.")] = False,
    json: Json = False,
) -> None:
    """Read the first page of a source and show, for each item, what the mapping finds in it.

    Changes nothing. The exit code is 1 if there is no usable component.
    """
    from library_pipeline.cli.source.check import check_sources  # noqa: PLC0415
    from library_pipeline.cli.source.overview import choose_sources  # noqa: PLC0415
    from library_pipeline.settings import load_settings  # noqa: PLC0415

    with expected_errors():
        settings = load_settings()
        names = choose_sources(settings, name, every=all_)
        ok = check_sources(settings, names, items=items, as_json=json)
    raise typer.Exit(0 if ok else 1)


@sources.command()
def preview(
    name: SourceName = None,
    items: Annotated[int, typer.Option(min=1, max=200, help="Show this many components.")] = 12,
    output: Annotated[
        Path | None,
        typer.Option(help="Write a page with the pictures to this .html file, for a browser."),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page of --output in the browser.")
    ] = False,
) -> None:
    """Download the first screenshots of a source and show them in the terminal or as a page.

    Changes nothing. The exit code is 1 if there is no screenshot.
    """
    from library_pipeline.cli.source.overview import choose_sources  # noqa: PLC0415
    from library_pipeline.cli.source.preview import preview_source  # noqa: PLC0415
    from library_pipeline.settings import load_settings  # noqa: PLC0415

    if open_ and output is None:
        fail("--open opens the page that --output writes; give a file: --output FILE.html")
    with expected_errors():
        settings = load_settings()
        (only,) = choose_sources(settings, name, every=False)
        ok = preview_source(settings, only, items=items, output=output, in_browser=open_)
    raise typer.Exit(0 if ok else 1)
