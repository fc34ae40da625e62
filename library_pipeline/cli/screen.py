"""Text from outside, made safe to print: without secrets and without control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlsplit

from rich.text import Text

from library_pipeline.cli.console import complain, console
from library_pipeline.settings import Settings
from library_pipeline.sources.source import Source
from library_pipeline.sources.text import printable

_HIDDEN: Final = "(hidden)"
_MIN_DISTINCT: Final = 8
_NAME_WIDTH: Final = 11


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with `(hidden)` in place of each of `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < _MIN_DISTINCT:
            # Only as a whole word: the password `a` must not hide every letter a.
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, _HIDDEN, text)
    return text


def settings_secrets(settings: Settings) -> frozenset[str]:
    """Return the CMS token, the database URLs, and the passwords in them and in `bundle_store`."""
    urls = [
        url.get_secret_value()
        for url in (settings.database_url, settings.dagster_database_url)
        if url is not None
    ]
    found = {settings.cms.token.get_secret_value()} if settings.cms.token else set[str]()
    for url in [*urls, settings.bundle_root]:
        password = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
        found |= {password, unquote(password)}
    return frozenset(filter(None, {*found, *urls}))


def source_secrets(source: Source) -> frozenset[str]:
    """Return the secret of a source, in each form that a request can hold."""
    auth = source.connection.credentials if source.connection else None
    if auth is None:
        return frozenset()
    secret = auth.secret.get_secret_value().strip()
    sent = {value.rpartition(" ")[2] for value in auth.headers.values()}
    return frozenset({secret, quote(secret, safe=""), *sent} - {""})


class Screen:
    """Prints text from a source: printable characters only, and none of `secrets`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)

    def clean(self, text: str) -> str:
        """Return text as one line that is safe to show."""
        return printable(hidden(text, self._secrets))

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        console.print(Text(self.clean(text), style=style), soft_wrap=True)

    def fact(self, name: str, value: str, *, indent: int = 2, style: str = "") -> None:
        """Print a value after its name."""
        label = Text(f"{' ' * indent}{self.clean(name):{_NAME_WIDTH}} ", style=style or "dim")
        console.print(label.append(Text(self.clean(value), style=style)), soft_wrap=True)

    def error(self, message: str) -> None:
        """Print an error to stderr."""
        complain(self.clean(message))

    def without_secrets(self, value: Any) -> Any:
        """Return a JSON value with the secrets hidden in its texts and keys."""
        if isinstance(value, str):
            return hidden(value, self._secrets)
        if isinstance(value, list | tuple):
            return [self.without_secrets(each) for each in cast("list[Any]", value)]
        if isinstance(value, dict):
            pairs = cast("dict[Any, Any]", value).items()
            return {hidden(str(key), self._secrets): self.without_secrets(v) for key, v in pairs}
        return value
