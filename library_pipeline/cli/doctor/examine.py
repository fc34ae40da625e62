"""Running examinations: each for itself, each within its time, none able to stop the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from library_pipeline.cli.doctor.check import Check, one_line
from library_pipeline.cli.hiding import hidden
from library_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Examination:
    """A question that yields checks; `seconds` is the longest wait for the next of them."""

    name: str
    ask: Callable[[], Iterable[Check]]
    seconds: float = 10.0


def examine(examinations: Iterable[Examination], secrets: frozenset[str]) -> Iterator[Check]:
    """Yield the checks of all examinations, none of which shows one of `secrets`.

    They run one after the other: two threads that import torch at once see half of it.
    """
    for examination in examinations:
        for check in _within_its_time(examination):
            yield _without(secrets, check)


def _within_its_time(examination: Examination) -> Iterator[Check]:
    answers: queue.SimpleQueue[Check | None] = queue.SimpleQueue()
    # A daemon thread: what hangs in the system's own calls cannot be stopped, only left behind.
    threading.Thread(target=_ask, args=(examination, answers), daemon=True).start()
    while True:
        try:
            check = answers.get(timeout=examination.seconds)
        except queue.Empty:
            found = f"no answer within {examination.seconds:g} s"
            yield Check(examination.name, "wrong", found, "something hangs; is the machine busy?")
            return
        if check is None:
            return
        yield check


def _ask(examination: Examination, answers: queue.SimpleQueue[Check | None]) -> None:
    try:
        for check in examination.ask():
            answers.put(check)
    except BaseException as error:  # whatever it is: the next examination has to come
        found = f"{type(error).__name__}: {one_line(error)}"
        answers.put(Check(examination.name, "wrong", found))
    finally:
        answers.put(None)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return every text in `settings` that no check may show."""
    urls = [
        url.get_secret_value()
        for url in (settings.database_url, settings.dagster_database_url)
        if url is not None
    ]
    found = {settings.cms.token.get_secret_value()} if settings.cms.token else set()
    for url in [*urls, settings.bundle_root]:
        password = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
        found |= {password, unquote(password)}
    return frozenset(filter(None, {*found, *urls}))


def _without(secrets: frozenset[str], check: Check) -> Check:
    """Return `check` with every secret blotted out, wherever a library's error has put one."""
    way_out = hidden(check.way_out, secrets) if check.way_out else None
    return replace(check, found=hidden(check.found, secrets), way_out=way_out)
