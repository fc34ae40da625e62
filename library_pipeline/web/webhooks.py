"""A CMS's call that it has changed: proven, recorded, answered. Its body is not looked into.

Polling stays the truth. A call only has the next plan begin at once, and that asks the CMS itself;
so a repeated, forged or lost call costs a request or a poll's wait, and changes nothing.
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

from library_pipeline.settings import SettingsError, WebhookSettings, read_secret
from library_pipeline.store.webhooks import record_call
from library_pipeline.web.api import Refusal
from library_pipeline.web.bodies import bounded
from library_pipeline.web.library import InLibrary
from library_pipeline.web.problems import Problem, QuestionError

MAX_BODY_BYTES: Final = 2**20
_TOO_LARGE: Final = Problem(
    413,
    "This call is too large",
    f"its body may have at most {MAX_BODY_BYTES:,} bytes, and may as well be empty",
)
# The same for a source without a webhook and for none: it tells nobody which sources there are.
_NONE_HERE: Final = Problem(
    404,
    "There is no such webhook",
    "no source of this name has the key `webhook` in the configuration",
)
_WANTED: Final = {
    "token": "the shared secret",
    "hmac-sha256": "the HMAC-SHA256 of the body by the shared secret, in hex, after `sha256=` "
    "or by itself",
}
_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


class Recorded(BaseModel):
    """The call is on record: the next plan begins at once, or as soon as the one under way ends."""

    model_config = ConfigDict(frozen=True)

    planned: Literal[True] = True
    source: str
    called_at: datetime


async def proven(request: Request, source: str) -> str:
    """Return the name of the source that calls. Raises QuestionError without a proof."""
    webhooks: Mapping[str, WebhookSettings] = request.app.state.webhooks
    webhook = webhooks.get(source)
    if webhook is None:
        raise QuestionError(_NONE_HERE)
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
def take_call(source: Annotated[str, Depends(proven)], library: InLibrary) -> Recorded:
    """Have the library refreshed now, as the source's CMS has changed."""
    with library.database.connect() as connection:
        called_at = record_call(connection, source)
    _log.info("webhook.called", source=source)
    return Recorded(source=source, called_at=called_at)


def is_proof(webhook: WebhookSettings, secret: bytes, given: str, body: bytes) -> bool:
    """Whether what the header holds could only be made by whoever has the secret.

    How long it takes does not depend on how much of it is right.
    """
    if webhook.kind == "hmac-sha256":
        # RFC 2104, and GitHub's way to write it down.
        signature = given.strip().removeprefix("sha256=").lower()
        wanted = hmac.new(secret, body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(_sent(signature), wanted.encode())
    scheme, _, credentials = given.partition(" ")
    if webhook.header_name.lower() == "authorization" and scheme.lower() == "bearer":
        given = credentials
    return hmac.compare_digest(_sent(given.strip()), secret.strip())


def _sent(text: str) -> bytes:
    """Return the bytes that were sent as this header."""
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
        f"the header {webhook.header_name} {found}; it must hold {_WANTED[webhook.kind]}",
    )
