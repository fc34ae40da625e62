"""The one error that settings raise."""

from __future__ import annotations

from library_pipeline.catalog.errors import LibraryError


class SettingsError(LibraryError):
    """The configuration cannot be used; the message names each key, its value and what is wrong."""

    def __init__(self, message: str, *, code: str = "settings.invalid") -> None:
        super().__init__(code, message)
