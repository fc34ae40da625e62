"""Problems: the statuses and words with which failed requests are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.encoders import EncoderError, ImageError
from library_pipeline.search.query import SearchError, UnanswerableError


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request has no answer: an HTTP status, a heading and the reason."""

    status: int
    title: str
    reason: str


class QuestionError(LibraryError):
    """A request cannot be answered; `problem` says why. A status from 500 up is transient."""

    def __init__(self, problem: Problem) -> None:
        super().__init__("web.question", problem.reason, transient=problem.status >= 500)
        self.problem = problem


EXPECTED: Final = (QuestionError, SearchError, EncoderError)


def problem_of(error: Exception) -> Problem:
    """Return the problem to answer with; the details of an unforeseen error stay in the log."""
    match error:
        case QuestionError():
            return error.problem
        case UnanswerableError():
            return Problem(409, "The library cannot answer this yet", str(error))
        case EncoderError():
            return Problem(503, "The model is not available", error.message)
        case SearchError() | RequestValidationError() | ValidationError():
            reason = str(error) if isinstance(error, SearchError) else wording(error)
            return Problem(400, "This question cannot be asked", reason)
        case psycopg.OperationalError():
            return Problem(503, "The database does not answer", "try again in a moment")
        case _:
            return Problem(500, "Something went wrong here", "the server's log has the reason")


def picture_problem(error: ImageError, name: str, size: int) -> Problem:
    """Return the problem with the uploaded picture `name` of `size` bytes."""
    reason = error.message.removeprefix(f"the given {size:,} bytes: ")
    return Problem(400, "This picture cannot be read", f"{name}: {reason}")


def no_component(component_id: str) -> Problem:
    """Return the problem that no searchable component has this id."""
    return Problem(
        404,
        "No such component",
        f"there is no searchable component with the id {component_id!r}; "
        "`library-pipeline status` shows the index",
    )


def wording(error: ValidationError | RequestValidationError) -> str:
    """Return each wrong parameter with its message, such as `k: input should be ...`."""
    return "; ".join(_one(item) for item in _errors(error))


def _errors(error: ValidationError | RequestValidationError) -> Sequence[Any]:
    return error.errors()


def _one(item: Any) -> str:
    name = str(item["loc"][-1]) if item["loc"] else "request"
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{name}: {message[:1].lower()}{message[1:]}"
