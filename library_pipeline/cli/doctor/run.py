"""`library-pipeline doctor`: the order of its examinations, and the output of the checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

from rich.table import Table
from rich.text import Text

from library_pipeline.cli.console import console, print_json
from library_pipeline.cli.doctor.cms import check_manifests, check_sources
from library_pipeline.cli.doctor.databases import check_dagster, check_database
from library_pipeline.cli.doctor.examination import Check, Examination, State, examine
from library_pipeline.cli.doctor.models import check_devices, check_encoders
from library_pipeline.cli.doctor.system import (
    check_bundles,
    check_configuration,
    check_disk,
    check_packages,
    check_schedules,
    check_webhooks,
)
from library_pipeline.cli.screen import settings_secrets
from library_pipeline.settings import Settings, SettingsError, load_settings

_IMPORT_SECONDS = 60.0  # torch from a cold disk
_START_SECONDS = 60.0  # a server that has a crash to recover from
_DOWNLOAD_SECONDS = 1800.0
_STYLES: dict[State, str] = {
    "ok": "green",
    "warning": "bold yellow",
    "wrong": "bold red",
    "skipped": "dim",
}


def run_doctor(*, deep: bool, as_json: bool) -> bool:
    """Run every examination, print its checks, and return whether nothing is wrong."""
    checks = []
    for check in _checks(deep=deep):
        checks.append(check)
        if not as_json:
            _print(check)
    wrong = sum(check.state == "wrong" for check in checks)
    if as_json:
        report = {"ok": not wrong, "checks": [dataclasses.asdict(check) for check in checks]}
        print_json(report)
    else:
        _print_verdict(wrong, sum(check.state == "warning" for check in checks))
    return not wrong


def _checks(*, deep: bool) -> Iterator[Check]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield from examine(_examinations(None, error, deep=deep), frozenset())
        return
    yield from examine(_examinations(settings, None, deep=deep), settings_secrets(settings))


def _examinations(
    settings: Settings | None, error: SettingsError | None, *, deep: bool
) -> Iterator[Examination]:
    yield Examination("configuration", partial(check_configuration, settings, error))
    yield Examination("python", check_packages)
    yield Examination("device", partial(check_devices, settings), _IMPORT_SECONDS)
    if settings is None:
        yield Examination("the rest", _skipped)
        return
    seconds = _DOWNLOAD_SECONDS if deep else _IMPORT_SECONDS
    yield Examination("encoder", partial(check_encoders, settings, deep=deep), seconds)
    for name, ask, seconds in _REST:
        yield Examination(name, partial(ask, settings), seconds)


_REST: tuple[tuple[str, Callable[[Settings], Iterator[Check]], float], ...] = (
    ("disk", check_disk, 10),
    ("database", check_database, _START_SECONDS),
    ("bundle store", check_bundles, 20),
    ("sources", check_sources, 15),
    ("manifests", check_manifests, 20),
    ("webhooks", check_webhooks, 10),
    ("schedules", check_schedules, _IMPORT_SECONDS),
    ("dagster", check_dagster, _IMPORT_SECONDS),
)


def _skipped() -> Iterator[Check]:
    names = ", ".join(("encoder", *(name for name, _, _ in _REST)))
    yield Check("the rest", "skipped", f"{names}: the configuration has to be valid first")


def _print(check: Check) -> None:
    mark = Text(f"{check.state:8}", style=_STYLES[check.state])
    lines = [Text(check.found)]
    if check.way_out:
        lines.append(Text(f"-> {check.way_out}", style="bold" if check.state == "wrong" else ""))
    if not console.is_terminal:  # one check, one line, for grep
        console.print(mark, Text(f"{check.name:17}"), lines[0], soft_wrap=True)
        for line in lines[1:]:
            console.print(" " * 26, line, soft_wrap=True)
        return
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=8)
    table.add_column(width=17)
    table.add_column(overflow="fold")
    table.add_row(mark, check.name, Text("\n").join(lines))
    console.print(table)


def _print_verdict(wrong: int, warnings: int) -> None:
    more = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if wrong:
        console.print(f"\n[bold red]{wrong} wrong[/]{more}; the lines with -> name the way out.")
    else:
        console.print(f"\n[bold green]Nothing is wrong[/]{more}.")
