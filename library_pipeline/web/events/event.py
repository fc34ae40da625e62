"""What watchers are told: the whole state of a refresh, or whether the database can be followed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

RECONNECT_MILLISECONDS = 1000

Name = Literal["refresh", "connection", "heartbeat"]


@dataclass(frozen=True, slots=True)
class Event:
    """One message. A later one of the same `key` makes an earlier one worthless.

    Those about refreshes are numbered within an `epoch`, the life of one process.
    """

    name: Name
    key: str
    data: Mapping[str, Any]
    epoch: str = ""
    number: int = 0

    @property
    def event_id(self) -> str | None:
        """What a client gives back to go on behind this event."""
        return f"{self.epoch}-{self.number}" if self.number else None

    def as_sse(self) -> str:
        """Return the event as an event stream has it (HTML standard, 9.2)."""
        numbered = f"id: {self.event_id}\n" if self.event_id else ""
        return f"{numbered}event: {self.name}\ndata: {_json(self.data)}\n\n"

    def as_message(self) -> str:
        """Return the event as a WebSocket's text."""
        return _json({"event": self.name, "id": self.event_id, "data": self.data})


HEARTBEAT = Event("heartbeat", "", {})


def number_after(event_id: str | None, epoch: str) -> int:
    """Return the number that a client has seen last; 0 if its id is of another process's life."""
    of, _, number = (event_id or "").rpartition("-")
    return int(number) if of == epoch and number.isascii() and number.isdecimal() else 0


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
