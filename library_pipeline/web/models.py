"""Loading the models before anybody asks for them, and what became of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database
from library_pipeline.encoders import EncoderError
from library_pipeline.index.encoders import active_encoders, load_registered
from library_pipeline.settings import EncoderSettings

AGAIN_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)


class Models:
    """The active encoders' models as far as this process has them; safe in threads."""

    def __init__(self, database: Database, configured: Sequence[EncoderSettings]) -> None:
        self._database = database
        self._configured = configured
        self._tried: dict[tuple[str, str], tuple[str, float]] = {}
        self._trying: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def load_in_background(self) -> None:
        """Begin to load the models of whatever is indexed."""
        threading.Thread(target=self._load_active, name="models", daemon=True).start()

    def state(self, encoder: EncoderInfo) -> str:
        """Return `loaded`, `loading` or `failed: ` and an error's code.

        One that was not tried yet, or failed a while ago, is begun to be loaded.
        """
        state, since = self._tried.get(_key(encoder), ("loading", -math.inf))
        if state != "loaded" and time.monotonic() > since + AGAIN_SECONDS:
            threading.Thread(target=self._load, args=(encoder,), name="model", daemon=True).start()
        return state

    def _load_active(self) -> None:
        try:
            with self._database.connect() as connection:
                active = active_encoders(connection)
        except Exception as error:  # a background thread has nobody else to tell
            _log.warning("web.no_warm_up", reason=str(error))
            return
        for encoder in active:
            self._load(encoder)

    def _load(self, encoder: EncoderInfo) -> None:
        key = _key(encoder)
        with self._lock:
            if key in self._trying:
                return
            self._trying.add(key)
        try:
            load_registered(encoder, self._configured)
            state = "loaded"
        except EncoderError as error:
            _log.warning("web.no_model", code=error.code, reason=error.message)
            state = f"failed: {error.code}"
        except Exception as error:  # as above
            _log.error("web.no_model", reason=repr(error))
            state = "failed: unforeseen"
        with self._lock:
            self._tried[key] = (state, time.monotonic())
            self._trying.discard(key)


def _key(encoder: EncoderInfo) -> tuple[str, str]:
    return encoder.name, encoder.fingerprint
