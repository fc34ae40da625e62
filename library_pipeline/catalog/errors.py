"""What can go wrong: the base of every error, and the failure of one component."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class LibraryError(Exception):
    """Something that a person or a program can act on.

    `code` is stable and dotted (`download.not_found`), for programs. `message` names the thing, its
    value and the way out, for people. A `transient` error may heal without any change.
    """

    def __init__(self, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.transient = transient


Phase = Literal["manifest", "download", "decode", "embed", "store"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One component that a refresh could not bring up to date, and why.

    `code` is stable and dotted (`download.not_found`), for programs. `message` names the thing,
    its value and the way out, for people. A `transient` failure may heal without a new revision
    and is tried again from `next_due_at` on. `attempts` counts the tries at this revision.
    """

    component_id: str
    phase: Phase
    code: str
    message: str
    transient: bool = False
    attempts: int = 1
    next_due_at: datetime | None = None


class ComponentError(LibraryError):
    """Work on one component failed. It holds all that a `Failure` needs, except the component."""

    def __init__(self, phase: Phase, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(code, message, transient=transient)
        self.phase: Phase = phase

    def failure(self, component_id: str) -> Failure:
        """Return this error as the failure of `component_id`."""
        return Failure(component_id, self.phase, self.code, self.message, self.transient)


class ManifestError(LibraryError):
    """A source's whole manifest cannot be used; nothing follows from it, above all no removal."""
