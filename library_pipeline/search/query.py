"""What is searched for: examples, weights of encoders, and filters on attributes."""

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
    """The question cannot be answered as it is; the message says what is wrong and what to do."""

    def __init__(self, message: str, *, code: str = "search.invalid") -> None:
        super().__init__(code, message)


class UnanswerableError(SearchError):
    """The question is a good one, but the library lacks what it takes to answer it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="search.unanswerable")


def weighted(
    active: Sequence[EncoderInfo], configured: Weights, wanted: Weights | None
) -> dict[EncoderInfo, float]:
    """Return the encoders to ask and their weights, which need not add up to 1.

    Without `wanted` ones it is all that are active, by their `configured` weights. Raises
    SearchError for names that are not active, and where nothing is.
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


MOST_DEPTH = 8


def parse_attributes(words: Iterable[str]) -> dict[str, Any]:
    """Return what a component's attributes must contain, from `name=value` and `name.part=value`.

    A value that is JSON counts as what it is: 3 is a number, "3" in quotes a text, dark a text.
    Raises SearchError.
    """
    wanted: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        names = [name.strip() for name in path.split(".")]
        if not equals or not all(names) or len(names) > MOST_DEPTH:
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
    """Return a number; NaN, Infinity and 1e999 are none, and PostgreSQL would refuse them."""
    number = float(text)
    return number if math.isfinite(number) else text


def _require_storable(wanted: dict[str, Any]) -> None:
    """Raise SearchError for texts, however deep, that PostgreSQL cannot hold."""
    try:
        text = json.dumps(wanted, ensure_ascii=False)
        text.encode()
        whole = "\\u0000" not in text
    except (UnicodeEncodeError, RecursionError):
        whole = False
    if not whole:
        raise SearchError(
            "an attribute holds U+0000, half a character or too deep a value, as none ever does"
        )


def attribute_word(path: Sequence[str], value: str | float | bool) -> str:
    """Return the filter that asks for `value` under the names `path`: `parse_attributes` undone."""
    text = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str) and _attribute_value(value.strip()) != value:
        text = json.dumps(value, ensure_ascii=False)
    return f"{'.'.join(path)}={text}"


# What an example counts by default that says what not to look like: half of Rocchio's pull, since
# a full one drives the question away from everything there is.
UNLIKE: Final = -0.5
_CROP = re.compile(r"\s*[,\s]\s*")
_LEAST_SIDE = 0.01


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture, in shares of its width and height: 0 is left and top, 1 right, bottom.

    Raises SearchError for one that is no part, or next to nothing.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        sides = (self.right - self.left, self.bottom - self.top)
        inside = all(0 <= each <= 1 for each in (self.left, self.top, self.right, self.bottom))
        if not (inside and min(sides) >= _LEAST_SIDE):
            raise SearchError(
                f"the crop {self} is no part of a picture; give left,top,right,bottom as shares "
                "from 0 to 1, such as 0,0,1,0.5 for the upper half"
            )

    def __str__(self) -> str:
        return f"{self.left:g},{self.top:g},{self.right:g},{self.bottom:g}"

    def of(self, picture: Image.Image) -> Image.Image:
        """Return the part of `picture`, at least a pixel."""
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
    """One thing to be like: exactly one of a decoded picture, a text and a component's id.

    `weight` is what it counts beside the others; below 0: not like this.
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
        """The picture, or the part of it that is meant."""
        if self.picture is None:
            raise SearchError("this example is no picture")
        return self.crop.of(self.picture) if self.crop else self.picture


@dataclass(frozen=True, slots=True)
class Query:
    """A whole question; the components that are examples are no results.

    `weights` are what encoders count, by name; without, the settings say. `collapse` folds what
    looks all but the same: a result whose similarity to a better one is at least this.
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
