"""`library-pipeline encoders`: what there is, which one search asks, and freeing the others."""

from __future__ import annotations

import dataclasses
import json as json_format
from typing import TYPE_CHECKING, Annotated

import typer

from library_pipeline.cli.console import confirm, console, expected_errors, fail

if TYPE_CHECKING:
    import psycopg

    from library_pipeline.store.coverage import EncoderCoverage

encoders = typer.Typer(
    help="Show the encoders, change over from one to another, free what is left.",
    no_args_is_help=True,
)

MEGABYTE = 1024 * 1024

Fingerprint = Annotated[
    str | None, typer.Argument(help="Or its beginning; without one, the candidate of that name.")
]


@encoders.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print the encoders as JSON.")] = False,
) -> None:
    """Show every encoder: coverage, dimension, fingerprint, size, and whether search asks it."""
    from library_pipeline.settings import load_settings  # noqa: PLC0415 - --help stays fast
    from library_pipeline.store.coverage import encoder_coverages  # noqa: PLC0415
    from library_pipeline.store.database import open_database  # noqa: PLC0415

    with expected_errors(), open_database(load_settings()) as database:
        with database.connect() as connection:
            found = encoder_coverages(connection)
        if json:
            rows = [dataclasses.asdict(each) | {"share": each.share} for each in found]
            console.print_json(json_format.dumps(rows))
        else:
            _show(found)


@encoders.command()
def activate(
    name: Annotated[str | None, typer.Argument(help="As the configuration calls it.")] = None,
    fingerprint: Fingerprint = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Every candidate that covers all components.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Even if it does not cover all components.")
    ] = False,
) -> None:
    """Have search ask another encoder from now on: a candidate, or one that is kept."""
    from library_pipeline.settings import load_settings  # noqa: PLC0415 - --help stays fast
    from library_pipeline.store.database import open_database  # noqa: PLC0415

    if auto == (name is not None):
        fail("name the encoder to activate, or say --auto")
    with (
        expected_errors(),
        open_database(load_settings()) as database,
        database.connect() as connection,
    ):
        if name is None:
            _activate_complete(connection)
        else:
            _activate_one(connection, name, fingerprint, yes=yes)


@encoders.command()
def drop(
    name: Annotated[str, typer.Argument(help="As the configuration calls or called it.")],
    fingerprint: Annotated[str, typer.Argument(help="Or its beginning.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, do it.")] = False,
) -> None:
    """Delete an encoder that search does not ask, with its vectors and their index."""
    from library_pipeline.settings import load_settings  # noqa: PLC0415 - --help stays fast
    from library_pipeline.store.activation import find_encoder, free_encoder  # noqa: PLC0415
    from library_pipeline.store.coverage import encoder_coverage  # noqa: PLC0415
    from library_pipeline.store.database import open_database  # noqa: PLC0415

    with (
        expected_errors(),
        open_database(load_settings()) as database,
        database.connect() as connection,
    ):
        encoder = find_encoder(connection, name, fingerprint)
        found = encoder_coverage(connection, encoder)
        if not encoder.active:
            size = f"{found.size / MEGABYTE:.1f} MB"
            confirm(f"Delete the {found.embedded} vectors of {_called(found)}, {size}?", yes=yes)
        free_encoder(connection, encoder)
    console.print(f"{_called(found)} is gone, with {found.embedded} vectors", markup=False)


def _activate_complete(connection: psycopg.Connection) -> None:
    from library_pipeline.store.activation import activate_complete  # noqa: PLC0415

    activated = activate_complete(connection)
    for encoder in activated:
        console.print(f"search asks {encoder.name} ({encoder.fingerprint}) from now on")
    if not activated:
        console.print("No candidate covers all components: library-pipeline encoders list")


def _activate_one(
    connection: psycopg.Connection, name: str, fingerprint: str | None, *, yes: bool
) -> None:
    from library_pipeline.store.activation import find_encoder, make_active  # noqa: PLC0415

    encoder = find_encoder(connection, name, fingerprint)
    if encoder.active:
        console.print(f"search asks {encoder.name} ({encoder.fingerprint}) already")
        return
    covered = make_active(connection, encoder, incomplete=yes)
    console.print(
        f"search asks {_called(covered)} from now on; it covers {covered.covered} of "
        f"{covered.components} components",
        markup=False,
    )


def _called(encoder: EncoderCoverage) -> str:
    return f"{encoder.name} {encoder.fingerprint} ({encoder.model})"


def _show(found: tuple[EncoderCoverage, ...]) -> None:
    if not found:
        console.print("No encoder has been used yet: library-pipeline refresh")
    for each in found:
        model = f"{each.model}@{each.revision}" if each.revision else each.model
        covered = f"{each.covered} of {each.components} ({_percent(each)})"
        size = f"{each.size / MEGABYTE:.1f} MB"
        console.print(
            f"{each.name}  {each.state}  {each.fingerprint}  {covered}  {size}",
            markup=False,
            soft_wrap=True,
        )
        console.print(
            f"    {model}, {each.dim} dimensions, framing {each.framing}, "
            f"precision {each.precision}",
            markup=False,
            soft_wrap=True,
        )


def _percent(encoder: EncoderCoverage) -> str:
    """Return the share, rounded down: 100 % is said of nothing less."""
    return f"{int(encoder.share * 1000) / 10:.1f} %"
