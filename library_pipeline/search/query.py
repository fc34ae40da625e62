"""Queries: examples, weights of encoders, and filters on attributes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.search.ranking import Filters

Weights = Mapping[str, float]

_WEIGHT = re.compile(r"\s*([a-z][a-z0-9_-]*)\s*[=:]\s*([0-9.eE+-]+)\s*")


class SearchError(LibraryError, ValueError):
    """The query is wrong; the message says what is wrong and how to correct it."""

    def __init__(self, message: str, *, code: str = "search.invalid") -> None:
        super().__init__(code, message)


class UnanswerableError(SearchError):
    """The query is valid, but the library lacks something to answer it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="search.unanswerable")


def weighted(
    active: Sequence[EncoderInfo], configured: Weights, wanted: Weights | None
) -> dict[EncoderInfo, float]:
    """Return the encoders to ask and their weights, which need not add up to 1.

    Without `wanted` weights, all active encoders are asked, by their `configured` weights or 1.
    Raises SearchError for a name that is not active, or if no encoder is active.
    """
    if not active:
        raise UnanswerableError("nothing is indexed yet; run `library-pipeline refresh` first")
    if not wanted:
        return {each: configured.get(each.name, 1.0) for each in active}
    by_name = {each.name: each for each in active}
    if strange := sorted(set(wanted) - set(by_name)):
        raise SearchError(
            f"no encoder called {', '.join(strange)} is active; there is: {', '.join(by_name)} "
            "(library-pipeline encoders list)"
        )
    for name, weight in wanted.items():
        if not (math.isfinite(weight) and weight > 0):
            raise SearchError(f"the weight of {name} is {weight}; it must be more than 0")
    return {by_name[name]: weight for name, weight in wanted.items()}


def parse_weights(words: Iterable[str]) -> dict[str, float]:
    """Return weights from words such as `clip=0.6` or `clip:0.6`. Raises SearchError."""
    weights: dict[str, float] = {}
    for word in words:
        found = _WEIGHT.fullmatch(word)
        try:
            name, weight = (found[1], float(found[2])) if found else ("", 0.0)
        except ValueError:
            name, weight = "", 0.0
        if not name:
            raise SearchError(f"the weight {word[:80]!r} is not NAME=NUMBER, such as clip=0.6")
        if name in weights:
            raise SearchError(f"the weight of {name} is given twice")
        weights[name] = weight
    return weights


MAX_DEPTH = 8


def parse_attributes(words: Iterable[str]) -> dict[str, Any]:
    """Return the attributes that a component must have, from `name=value` or `name.part=value`.

    A value is read as JSON if it is JSON, else as a text: 3 is a number, "3" and dark are texts.
    Raises SearchError.
    """
    wanted: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        names = [name.strip() for name in path.split(".")]
        if not equals or not all(names) or len(names) > MAX_DEPTH:
            raise SearchError(
                f"the attribute {word[:80]!r} is not NAME=VALUE, such as theme=dark or "
                "layout.columns=3"
            )
        _put_attribute(wanted, names, _attribute_value(value.strip()), word)
    _require_storable(wanted)
    return wanted


def _put_attribute(wanted: dict[str, Any], names: list[str], value: Any, word: str) -> None:
    for name in names[:-1]:
        wanted = wanted.setdefault(name, {})
        if not isinstance(wanted, dict):
            raise SearchError(f"the attribute {word[:80]!r} is a value and has parts as well")
    if names[-1] in wanted:
        raise SearchError(f"the attribute {word[:80]!r} is given twice")
    wanted[names[-1]] = value


def _attribute_value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> float | str:
    """Return a finite number, else the text: PostgreSQL refuses 1e999."""
    number = float(text)
    return number if math.isfinite(number) else text


def _require_storable(wanted: dict[str, Any]) -> None:
    """Raise SearchError if a text at any depth cannot be stored in PostgreSQL."""
    try:
        text = json.dumps(wanted, ensure_ascii=False)
        text.encode()
        whole = "\\u0000" not in text
    except (UnicodeEncodeError, RecursionError):
        whole = False
    if not whole:
        raise SearchError(
            "an attribute's value has the character U+0000, half a surrogate pair, or too deep a "
            "nesting; no component can have such a value"
        )


def attribute_word(path: Sequence[str], value: str | float | bool) -> str:
    """Return the filter for `value` at `path`; `parse_attributes` is the inverse."""
    text = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str) and _attribute_value(value.strip()) != value:
        text = json.dumps(value, ensure_ascii=False)
    return f"{'.'.join(path)}={text}"


# The default weight of an example that results should not resemble. A full -1 drives the query
# away from every component.
UNLIKE: Final = -0.5
_CROP = re.compile(r"\s*[,\s]\s*")
_MIN_SIDE = 0.01


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture, in shares of its width and height from the left and the top.

    Raises SearchError if it is outside of the picture, or thinner than a hundredth of it.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        sides = (self.right - self.left, self.bottom - self.top)
        inside = all(0 <= each <= 1 for each in (self.left, self.top, self.right, self.bottom))
        if not (inside and min(sides) >= _MIN_SIDE):
            raise SearchError(
                f"the crop {self} is no part of a picture; give left,top,right,bottom as shares "
                "from 0 to 1, such as 0,0,1,0.5 for the upper half"
            )

    def __str__(self) -> str:
        return f"{self.left:g},{self.top:g},{self.right:g},{self.bottom:g}"

    def of(self, picture: Image.Image) -> Image.Image:
        """Return this part of `picture`, at least one pixel."""
        width, height = picture.size
        left = min(int(self.left * width), width - 1)
        top = min(int(self.top * height), height - 1)
        right = max(left + 1, round(self.right * width))
        bottom = max(top + 1, round(self.bottom * height))
        return picture.crop((left, top, right, bottom))


def parse_crop(words: str) -> Crop:
    """Return a crop from `left,top,right,bottom`. Raises SearchError."""
    try:
        left, top, right, bottom = (float(each) for each in _CROP.split(words.strip()))
    except ValueError:
        raise SearchError(
            f"the crop {words[:80]!r} is not left,top,right,bottom as shares from 0 to 1, such as "
            "0,0,1,0.5 for the upper half"
        ) from None
    return Crop(left, top, right, bottom)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a query: exactly one of a decoded picture, a text and a component's id.

    Results resemble an example of positive `weight`, and not one of negative weight.
    """

    picture: Image.Image | None = None
    text: str | None = None
    component: str | None = None
    weight: float = 1.0
    crop: Crop | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.picture, self.text, self.component)) != 1:
            raise SearchError("an example is exactly one of: a picture, a text, a component")
        if self.text is not None and not self.text.strip():
            raise SearchError("the text to search for is empty")
        if self.crop and self.picture is None:
            raise SearchError("only a picture can be cropped")
        if not -100 <= self.weight <= 100 or self.weight == 0:
            raise SearchError(
                f"an example's weight is {self.weight:g}; it must be from -100 to 100, not 0"
            )

    @property
    def pixels(self) -> Image.Image:
        """The picture, cropped if the example has a crop."""
        if self.picture is None:
            raise SearchError("this example is not a picture")
        return self.crop.of(self.picture) if self.crop else self.picture


@dataclass(frozen=True, slots=True)
class Query:
    """A search: its examples, and how results are filtered, ranked and paged.

    Components that are examples are not results. `weights` are the encoders' weights by name;
    without them the settings decide. `collapse` folds a result under a better one if their
    similarity is at least this.
    """

    examples: tuple[Example, ...]
    k: int = 10
    skip: int = 0
    least_score: float | None = None
    filters: Filters = field(default_factory=Filters)
    weights: Weights | None = None
    collapse: float | None = None

    def __post_init__(self) -> None:
        if not self.examples:
            raise SearchError("there is nothing to search for; give a picture, text or component")
        if all(example.weight < 0 for example in self.examples):
            raise SearchError(
                "every example says what not to look like; add one of what to look like"
            )
        if self.collapse is not None and not 0 < self.collapse <= 1:
            raise SearchError(f"collapse is {self.collapse:g}; it must be more than 0, at most 1")
