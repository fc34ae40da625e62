"""Showing what a source says: none of it steers the terminal, none of it is a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from rich.text import Text

from library_pipeline.cli.console import complain, console
from library_pipeline.cli.hiding import hidden
from library_pipeline.sources.text import printable

_NAME_WIDTH = 11


class Screen:
    """Prints foreign text, cleaned."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secrets)

    def clean(self, text: str) -> str:
        """Return text as it may be shown, on one line."""
        return printable(hidden(text, self._secrets))

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        console.print(Text(self.clean(text), style=style), soft_wrap=True)

    def fact(self, name: str, value: str, *, indent: int = 2, style: str = "") -> None:
        """Print a value with its name before it."""
        label = Text(f"{' ' * indent}{self.clean(name):{_NAME_WIDTH}} ", style=style or "dim")
        console.print(label.append(Text(self.clean(value), style=style)), soft_wrap=True)

    def error(self, message: str) -> None:
        """Print what is wrong to stderr."""
        complain(self.clean(message))

    def without_secrets(self, value: Any) -> Any:
        """Return a value of JSON with the secrets in its texts blotted out."""
        if isinstance(value, str):
            return hidden(value, self._secrets)
        if isinstance(value, list | tuple):
            return [self.without_secrets(each) for each in cast("list[Any]", value)]
        if isinstance(value, dict):
            pairs = cast("dict[Any, Any]", value).items()
            return {hidden(str(key), self._secrets): self.without_secrets(v) for key, v in pairs}
        return value


def print_json(value: object) -> None:
    """Print JSON in ASCII, in which nothing can steer a terminal."""
    console.print_json(json.dumps(value, default=str), ensure_ascii=True)
