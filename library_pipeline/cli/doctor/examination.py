"""Examinations and their checks; an examination that fails or hangs does not stop the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from library_pipeline.cli.screen import hidden

State = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's report: the subject, its state, the finding and the way out."""

    name: str
    state: State
    found: str
    way_out: str | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """A function that yields checks; the doctor waits at most `seconds` for each of them."""

    name: str
    ask: Callable[[], Iterable[Check]]
    seconds: float = 10.0


def examine(examinations: Iterable[Examination], secrets: frozenset[str]) -> Iterator[Check]:
    """Yield the checks of all examinations, without any of `secrets` in their texts.

    They run one after the other: two threads that import torch at once get half a module.
    """
    for examination in examinations:
        for check in _within_its_time(examination):
            way_out = hidden(check.way_out, secrets) if check.way_out else None
            yield replace(check, found=hidden(check.found, secrets), way_out=way_out)


def gigabytes(size: float) -> str:
    """Return a size in bytes as GB, or as MB below one GB."""
    if size < 1e9:
        return f"{size / 1e6:,.0f} MB"
    return f"{size / 1e9:,.1f} GB"


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks, or its type if it has no message."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def _within_its_time(examination: Examination) -> Iterator[Check]:
    answers: queue.SimpleQueue[Check | None] = queue.SimpleQueue()
    # A daemon thread: Python cannot stop a system call that hangs, but can leave it.
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
    except BaseException as error:  # even SystemExit: the next examination has to run
        found = f"{type(error).__name__}: {one_line(error)}"
        answers.put(Check(examination.name, "wrong", found))
    finally:
        answers.put(None)
