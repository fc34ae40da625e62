"""Answers to failed requests: JSON for programs, a page for people."""

from __future__ import annotations

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from library_pipeline.web.hosts import HEADERS
from library_pipeline.web.problems import EXPECTED, Problem, problem_of
from library_pipeline.web.rendering import phrase, problem_page
from library_pipeline.web.uploads import CUT_OFF

_log = structlog.get_logger(__name__)


def add_error_answers(app: FastAPI) -> None:
    """Register handlers in `app` that answer every error with JSON or a page."""
    for kind in (*EXPECTED, RequestValidationError, psycopg.OperationalError):
        app.add_exception_handler(kind, _answer_expected)
    app.add_exception_handler(HTTPException, _answer_refused)
    app.add_exception_handler(Exception, _answer_unforeseen)


def _answer_expected(request: Request, error: Exception) -> Response:
    return _answer_with(request, problem_of(error))


def _answer_refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        problem = Problem(404, "There is no such page", f"nothing is at {request.url.path}")
    else:
        problem = Problem(status, phrase(status), str(getattr(error, "detail", "")))
    return _answer_with(request, problem)


def _answer_unforeseen(request: Request, error: Exception) -> Response:
    _log.error("web.failed", path=request.url.path, error=repr(error))
    answer = _answer_with(request, problem_of(error))
    answer.headers.update(HEADERS)  # this answer does not pass the middleware
    return answer


def _answer_with(request: Request, problem: Problem) -> Response:
    if request.url.path.startswith("/api/"):
        answer = JSONResponse({"error": f"{problem.title}: {problem.reason}"}, problem.status)
    else:
        answer = problem_page(request, problem)
    if request.scope.get(CUT_OFF):
        answer.headers["Connection"] = "close"  # else the server reads the rest of the body
    return answer
