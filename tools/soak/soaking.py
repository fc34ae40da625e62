"""The soak: edit, kill, see that it goes on; again and again, then wait, then look closely."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.soak.listing import Listing
from tools.soak.services import Services
from tools.soak.victims import VICTIMS, WEIGHTS, Executioner, Victim
from tools.soak.watcher import Watcher

_EDITED = 40
_FIRST_SECONDS, _LAST_SECONDS = 0.5, 7.0
_FIND_SECONDS = 15.0
_PROGRESS_SECONDS = 10.0
_LOOK_SECONDS = 0.1
_REFRESH_SHARE = 0.25


@dataclass(slots=True)
class Death:
    """A kill: of whom, when, and how long it took until the index acknowledged something again."""

    victim: Victim
    at: float
    recovered_after: float | None = None


@dataclass(slots=True)
class Soak:
    """Everything the kills need; `say` gets a line for each."""

    services: Services
    listing: Listing
    watcher: Watcher
    executioner: Executioner
    chance: random.Random
    say: Callable[[str], None]
    deaths: list[Death] = field(default_factory=list)

    def run(self, kills: int) -> None:
        """Kill `kills` times."""
        while len(self.deaths) < kills:
            self._round()
        self.note_recoveries()

    def note_recoveries(self) -> None:
        """Fill in how long each kill's recovery took, for those that are over by now."""
        for death in self.deaths:
            progress = self.watcher.first_progress(death.at)
            if progress is not None:
                death.recovered_after = progress - death.at

    def _round(self) -> None:
        edits = self.listing.edit(_EDITED)
        victim = self.chance.choices(VICTIMS, [WEIGHTS.get(name, 1) for name in VICTIMS])[0]
        wait = self.chance.uniform(_FIRST_SECONDS, _LAST_SECONDS)
        refresh = victim == "refresh" or self.chance.random() < _REFRESH_SHARE
        if refresh and self.services.pid("refresh") is None:
            self.services.refresh()
        if victim == "run worker":
            self._await(lambda: bool(self.executioner.workers()), _FIND_SECONDS)
            wait *= 0.6  # a worker that is at work ends soon
        self._await(lambda: False, wait)
        if not self.executioner.kill(victim):
            self.say(f"no {victim} to kill ({edits})")
            return
        death = Death(victim, time.time())
        self.deaths.append(death)
        # Something is owed to the index from now on, so that going on can be seen.
        self.listing.edit(4)
        self.services.keep_up()
        self._await(lambda: self.watcher.first_progress(death.at) is not None, _PROGRESS_SECONDS)
        progress = self.watcher.first_progress(death.at)
        after = "not yet" if progress is None else f"after {progress - death.at:.1f} s"
        self.say(f"{len(self.deaths):3}  {victim:<12} {edits}; progress {after}")

    def _await(self, true: Callable[[], bool], seconds: float) -> None:
        """Wait until it is `true`, at most `seconds`, and keep the services up meanwhile."""
        deadline = time.monotonic() + seconds
        while not true() and time.monotonic() < deadline:
            self.services.keep_up()
            time.sleep(_LOOK_SECONDS)
