"""Questions: the parameters of a search with their limits, and the query they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from library_pipeline.search.query import (
    UNLIKE,
    Crop,
    Example,
    Query,
    parse_attributes,
    parse_crop,
    parse_weights,
)
from library_pipeline.search.ranking import Filters
from library_pipeline.sources.entry import UNSTORABLE
from library_pipeline.web.problems import Problem, QuestionError, wording

MAX_TEXT: Final = 500
MAX_K: Final = 100
MAX_PAGE: Final = 100
DEFAULT_K: Final = 24
MAX_VALUES: Final = 50  # of one key
_MAX_NAME: Final = 4_000  # characters of an id or a client; longer ones do not fit into a URL

Words = Annotated[str | None, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(max_length=_MAX_NAME)]
Names = Annotated[tuple[Name, ...], Field(max_length=MAX_VALUES)]


class ResultTerms(BaseModel):
    """Parameters of results: filters, their number and ranking. A blank one counts as missing."""

    model_config = ConfigDict(frozen=True)

    client: Annotated[Names, Field(description="Any of these.", examples=[["Acme"]])] = ()
    category: Annotated[Names, Field(description="Any of these.", examples=[["pricing"]])] = ()
    source: Annotated[Names, Field(description="Any of these configured sources.")] = ()
    tag: Annotated[Names, Field(description="All of these.")] = ()
    attribute: Annotated[
        Names,
        Field(
            description="All of these, such as theme=dark or layout.columns=3.",
            examples=[["theme=dark"]],
        ),
    ] = ()
    least_score: Annotated[
        float | None, Field(ge=-1, le=1, description="Leave out components that score less.")
    ] = None
    collapse: Annotated[
        float | None,
        Field(
            gt=0, le=1, description="Fold components at least this similar into one, such as 0.98."
        ),
    ] = None
    k: Annotated[int, Field(ge=1, le=MAX_K, description="Results on a page.")] = DEFAULT_K
    page: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 1
    weight: Annotated[Names, Field(description="Weight of an encoder, such as clip:0.6.")] = ()

    @property
    def filters(self) -> Filters:
        """The filters of the query."""
        return Filters(
            clients=self.client,
            categories=self.category,
            sources=self.source,
            tags=self.tag,
            attributes=parse_attributes(self.attribute),
        )

    def about(self, examples: tuple[Example, ...]) -> Query:
        """Return the query with these `examples`. Raises SearchError."""
        return Query(
            examples,
            k=self.k,
            skip=(self.page - 1) * self.k,
            least_score=self.least_score,
            filters=self.filters,
            weights=parse_weights(self.weight) or None,
            collapse=self.collapse,
        )

    @field_validator("weight", mode="after")
    @classmethod
    def _weights(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        words = tuple(part for word in value for part in word.split(",") if part.strip())
        parse_weights(words)
        return words

    @field_validator("attribute", mode="after")
    @classmethod
    def _attributes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        parse_attributes(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _listed_or_blank(cls, value: Any, info: ValidationInfo) -> Any:
        """Return a single value of a list field as a tuple, and a blank value as the default."""
        default = cls.model_fields[info.field_name or ""].default
        if default == ():
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list | tuple):
                return value
            return tuple(each for each in values if not isinstance(each, str) or each.strip())
        return default if isinstance(value, str) and not value.strip() else value

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, str):
                storable(each)
        return value


class SearchTerms(ResultTerms):
    """The parameters of a search by a picture, a text, components (`like`), or several of these.

    Results should be unlike `not_text` and `not_like`. A blank parameter counts as missing.
    """

    text: Annotated[
        Words,
        Field(description="What the component shows.", examples=["pricing table with three plans"]),
    ] = None
    like: Annotated[Names, Field(description="Ids of components that results resemble.")] = ()
    not_text: Annotated[Words, Field(description="What results should not resemble.")] = None
    not_like: Annotated[
        Names, Field(description="Ids of components that results should not resemble.")
    ] = ()
    text_weight: Annotated[
        float, Field(gt=0, le=100, description="Weight of the text; other examples weigh 1.")
    ] = 1.0
    crop: Annotated[
        str | None,
        Field(max_length=100, description="Part of the picture: left,top,right,bottom, 0 to 1."),
    ] = None

    @property
    def asks(self) -> bool:
        """Whether the question has a text or a component as an example."""
        return self.text is not None or bool(self.like)

    def query(self, picture: Image.Image | None = None) -> Query:
        """Return the query, with the decoded `picture` if one was sent. Raises SearchError."""
        return self.about(tuple(self._examples(picture)))

    def _examples(self, picture: Image.Image | None) -> Iterator[Example]:
        if picture is not None:
            yield Example(picture=picture, crop=self.cropped)
        if self.text is not None:
            yield Example(text=self.text, weight=self.text_weight)
        yield from (Example(component=each) for each in self.like)
        if self.not_text is not None:
            yield Example(text=self.not_text, weight=UNLIKE)
        yield from (Example(component=each, weight=UNLIKE) for each in self.not_like)

    @property
    def cropped(self) -> Crop | None:
        """The part of the picture to search by, None for all of it."""
        return parse_crop(self.crop) if self.crop else None

    @field_validator("crop", mode="after")
    @classmethod
    def _crop(cls, value: str | None) -> str | None:
        if value:
            parse_crop(value)
        return value


SEVERAL: Final = frozenset(
    name for name, field in SearchTerms.model_fields.items() if field.default == ()
)


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded picture: its encoded bytes, and the file name that its sender gave."""

    name: str
    data: bytes


def storable(text: str) -> str:
    """Return `text`. Raises ValueError if PostgreSQL cannot store it."""
    if found := UNSTORABLE.search(text):
        raise ValueError(f"must not contain the character U+{ord(found[0]):04X}")
    return text


def parse_terms(fields: Mapping[str, str | list[str]]) -> SearchTerms:
    """Return the question in `fields`. Raises QuestionError, which names the wrong field."""
    try:
        return SearchTerms.model_validate(fields)
    except ValidationError as error:
        raise QuestionError(Problem(400, "This question cannot be asked", wording(error))) from None


def require_example(question: SearchTerms) -> SearchTerms:
    """Return `question`. Raises QuestionError if it has neither a text nor a component."""
    if not question.asks:
        reason = "ask by at least one of: text, like; or send a picture"
        raise QuestionError(Problem(400, "This question cannot be asked", reason))
    return question
