"""The one error that settings raise."""

from __future__ import annotations


class SettingsError(Exception):
    """The configuration cannot be used; the message names each key, its value and what is wrong."""
