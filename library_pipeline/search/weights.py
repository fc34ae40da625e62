"""How much each encoder's answer counts: by the settings, or as a question wants it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import LibraryError

Weights = Mapping[str, float]

_ONE = re.compile(r"\s*([a-z][a-z0-9_-]*)\s*[=:]\s*([0-9.eE+-]+)\s*")


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
        found = _ONE.fullmatch(word)
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
