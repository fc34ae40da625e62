"""The base of every error that this program raises on purpose."""

from __future__ import annotations


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
