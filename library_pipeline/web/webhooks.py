"""Calls by which a CMS tells that it has changed: checked, recorded, answered.

The body of a call is not read as data. A call only makes the next plan begin at once, and the plan
asks the CMS itself. So a repeated, forged or lost call costs a request or the wait for the next
poll, and changes nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from library_pipeline.refresh.planning import record_call
from library_pipeline.settings import SettingsError, WebhookSettings, read_secret
from library_pipeline.web.library import InLibrary
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.search_views import Refusal
from library_pipeline.web.uploads import bounded

MAX_BODY_BYTES: Final = 2**20
_TOO_LARGE: Final = Problem(
    413,
    "This call is too large",
    f"its body may have at most {MAX_BODY_BYTES:,} bytes, and may as well be empty",
)
# Unknown sources get the same answer, so that it does not reveal which sources there are.
_NO_WEBHOOK: Final = Problem(
    404,
    "There is no such webhook",
    "no source of this name has the key `webhook` in the configuration",
)
_PROOFS: Final = {
    "token": "the shared secret",
    "hmac-sha256": "the HMAC-SHA256 of the body by the shared secret, in hex, after `sha256=` "
    "or by itself",
}
_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


class CallRecord(BaseModel):
    """The call is on record. The next plan begins at once, or when the present one ends."""

    model_config = ConfigDict(frozen=True)

    planned: Literal[True] = True
    source: str
    called_at: datetime


async def verify_source(request: Request, source: str) -> str:
    """Return the name of the calling source. Raises QuestionError without a valid proof."""
    webhooks: Mapping[str, WebhookSettings] = request.app.state.webhooks
    webhook = webhooks.get(source)
    if webhook is None:
        raise QuestionError(_NO_WEBHOOK)
    secret = await run_in_threadpool(_secret, source, webhook)
    body = await bounded(request, MAX_BODY_BYTES, _TOO_LARGE).body()
    given = request.headers.get(webhook.header_name)
    if given is None or not is_proof(webhook, secret, given, body):
        _log.warning("webhook.refused", source=source, header=webhook.header_name)
        raise QuestionError(_refusal(webhook, missing=given is None))
    return source


@router.post(
    "/{source}",
    status_code=202,
    responses={status: {"model": Refusal} for status in (401, 404, 413, 503)},
)
def take_call(source: Annotated[str, Depends(verify_source)], library: InLibrary) -> CallRecord:
    """Record that the source's CMS has changed, so that the library is refreshed now."""
    with library.database.connect() as connection:
        called_at = record_call(connection, source)
    _log.info("webhook.called", source=source)
    return CallRecord(source=source, called_at=called_at)


def is_proof(webhook: WebhookSettings, secret: bytes, given: str, body: bytes) -> bool:
    """Whether the header's value proves that the caller knows the secret.

    The comparison takes the same time however much of the value is right.
    """
    if webhook.kind == "hmac-sha256":
        # RFC 2104, in the notation of GitHub's webhooks.
        signature = given.strip().removeprefix("sha256=").lower()
        expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(_sent(signature), expected.encode())
    scheme, _, credentials = given.partition(" ")
    if webhook.header_name.lower() == "authorization" and scheme.lower() == "bearer":
        given = credentials
    return hmac.compare_digest(_sent(given.strip()), secret.strip())


def _sent(text: str) -> bytes:
    """Return the bytes of a header as they were sent."""
    return text.encode("latin-1", errors="replace")


def _secret(source: str, webhook: WebhookSettings) -> bytes:
    try:
        return read_secret(webhook).get_secret_value().encode()
    except SettingsError as error:
        _log.error("webhook.no_secret", source=source, reason=str(error))
        problem = Problem(503, "This webhook lacks its secret", str(error))
        raise QuestionError(problem) from None


def _refusal(webhook: WebhookSettings, *, missing: bool) -> Problem:
    found = "is missing" if missing else "does not match"
    return Problem(
        401,
        "This call is not proven",
        f"the header {webhook.header_name} {found}; it must hold {_PROOFS[webhook.kind]}",
    )
