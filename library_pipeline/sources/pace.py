"""How fast requests may follow each other: a set rate, slowed down where a CMS asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_GAP_SECONDS = 0.005
_MOST_GAP_SECONDS = 2.0
_QUICKER_BY = 0.98


class Pace:
    """Says how long the next request has to wait. Not thread-safe; no I/O, no sleeping.

    After a 429 everybody waits, and the gap between requests doubles; each success shortens it
    again, down to the set rate.
    """

    def __init__(
        self, requests_per_second: float | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._set_gap = 1.0 / requests_per_second if requests_per_second else 0.0
        self._gap = self._set_gap
        self._next = now()
        self._paused_until = self._next
        self._slowed_at = float("-inf")

    def wait_seconds(self) -> float:
        """Take the next turn and return the seconds until it comes."""
        now = self._now()
        turn = max(now, self._next, self._paused_until)
        self._next = turn + self._gap
        return turn - now

    def paused(self) -> bool:
        """Return whether a turn that was taken earlier has to be taken anew."""
        return self._now() < self._paused_until

    def slow_down(self, seconds: float, turn_taken_at: float) -> None:
        """Let nobody ask for `seconds`, and everybody less often, as a request was turned away.

        Requests whose turn was taken before this slowed down last say nothing new.
        """
        now = self._now()
        if turn_taken_at >= self._slowed_at:
            gap = max(self._gap * 2, self._set_gap, _FIRST_GAP_SECONDS)
            self._gap = min(gap, max(_MOST_GAP_SECONDS, self._set_gap))
            self._slowed_at = now
        self._paused_until = max(self._paused_until, now + seconds)

    def went_well(self) -> None:
        """Take note of an answer in time."""
        if self._gap > self._set_gap:
            shorter = self._gap * _QUICKER_BY
            self._gap = max(shorter if shorter > _FIRST_GAP_SECONDS / 2 else 0.0, self._set_gap)
