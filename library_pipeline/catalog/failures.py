"""What can go wrong with one component, in words that stay stable: phase, code, transience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["manifest", "download", "decode", "embed", "store"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One component that one refresh could not bring up to date, and why.

    `code` is stable and dotted (`download.not_found`), for programs; `message` names the thing,
    its value and the way out, for people. `transient` failures may heal without a new revision.
    """

    component_id: str
    phase: Phase
    code: str
    message: str
    transient: bool = False


class ComponentError(Exception):
    """Work on one component failed; carries everything a `Failure` needs but the component."""

    def __init__(self, phase: Phase, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.phase: Phase = phase
        self.code = code
        self.message = message
        self.transient = transient

    def failure(self, component_id: str) -> Failure:
        """Return this error as the failure of `component_id`."""
        return Failure(component_id, self.phase, self.code, self.message, self.transient)
