"""What is searched for: examples, each with a weight, and which components may answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from library_pipeline.search.ranking import Filters
from library_pipeline.search.weights import SearchError, Weights

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
