"""Values and URLs for messages: short, printable and without secrets."""

from __future__ import annotations

import reprlib
import unicodedata

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80
_SHORT.maxlevel = 2
_MAX_URL = 300


def shorten(value: object) -> str:
    """Return `repr(value)`, abridged where it is long or deep."""
    return _SHORT.repr(value)


def redacted(url: str) -> str:
    """Return `url` without the parts that may be secret: user info, query and fragment."""
    bare, mark, _ = url.partition("#")[0].partition("?")
    scheme, slashes, rest = bare.partition("//")
    authority, slash, path = rest.partition("/")
    shown = scheme + slashes + authority.rpartition("@")[2] + slash + path
    shown = shown if len(shown) <= _MAX_URL else shown[:_MAX_URL] + "..."
    # ascii() without its quotes: a URL may hold anything, half surrogate pairs included.
    return ascii(shown)[1:-1] + ("?..." if mark else "")


def reason(error: OSError) -> str:
    """Return what the operating system says about an error, without the file's path."""
    return error.strerror or type(error).__name__


def printable(text: str) -> str:
    """Return foreign text as one line that a terminal can show.

    Characters that steer a terminal, turn the direction of text or are invisible become escapes
    such as `\\x1b`.
    """
    if text.isprintable():
        return text
    return "".join(_printable(char) for char in text)


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    if char.isspace() and unicodedata.category(char) == "Zs":
        return " "
    return char.encode("unicode_escape").decode("ascii")
