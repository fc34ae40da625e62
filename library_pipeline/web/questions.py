"""What may be asked of the library over HTTP, with its limits, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from library_pipeline.search.finder import Finder
from library_pipeline.search.weights import SearchError, Weights, parse_weights
from library_pipeline.store.search import Match
from library_pipeline.web.problems import Problem, QuestionError, wording

MAX_TEXT: Final = 500
MAX_K: Final = 100
DEFAULT_K: Final = 24
MAX_WEIGHTS: Final = 16
_MAX_NAME: Final = 4_000  # an id or a client; longer ones do not fit into a URL anyway


class Asked(BaseModel):
    """The parameters of a question; blank ones count as not given."""

    model_config = ConfigDict(frozen=True)

    text: Annotated[str | None, Field(max_length=MAX_TEXT)] = None
    like: Annotated[str | None, Field(max_length=_MAX_NAME)] = None
    client: Annotated[str | None, Field(max_length=_MAX_NAME)] = None
    k: Annotated[int, Field(ge=1, le=MAX_K)] = DEFAULT_K
    weight: Annotated[
        tuple[str, ...],
        Field(max_length=MAX_WEIGHTS, description="What an encoder counts, such as clip:0.6."),
    ] = ()

    @property
    def weights(self) -> Weights | None:
        """What each encoder is to count, None for what the settings say. Raises SearchError."""
        return parse_weights(self.weight) or None

    @field_validator("weight", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list | tuple):
            return value
        return tuple(part for word in words for part in str(word).split(",") if part.strip())

    @field_validator("weight")
    @classmethod
    def _understood(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_weights(value)
        except SearchError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("text", "like", "client")
    @classmethod
    def _given(cls, value: str | None) -> str | None:
        if value is not None and "\x00" in value:  # PostgreSQL has no such character
            raise ValueError("must not contain the character U+0000")
        return value if value and value.strip() else None


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it was sent; `name` is what its sender calls it."""

    name: str
    data: bytes


def asked(fields: Mapping[str, str | list[str]]) -> Asked:
    """Return the question in `fields`; raises QuestionError, which names what is wrong."""
    try:
        return Asked.model_validate(fields)
    except ValidationError as error:
        raise QuestionError(Problem(400, "This question cannot be asked", wording(error))) from None


def exactly_one(question: Asked) -> Asked:
    """Return `question`; raises QuestionError unless it asks by a text or by a component."""
    if (question.text is None) == (question.like is None):
        problem = Problem(400, "This question cannot be asked", "ask by exactly one of: text, like")
        raise QuestionError(problem)
    return question


def answer(finder: Finder, question: Asked) -> list[Match]:
    """Return the matches for a text or, without one, for a component; best first."""
    if question.text is not None:
        return finder.by_text(
            question.text, k=question.k, client=question.client, weights=question.weights
        )
    return finder.like_component(
        question.like or "", k=question.k, client=question.client, weights=question.weights
    )


def answer_picture(finder: Finder, question: Asked, picture: Image.Image) -> list[Match]:
    """Return the matches for a decoded picture; best first."""
    return finder.by_picture(
        picture, k=question.k, client=question.client, weights=question.weights
    )
