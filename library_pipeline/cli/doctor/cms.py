"""The CMS: is it there, does it let us in, is what it lists usable, does it say "unchanged"?"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from library_pipeline.cli.doctor.check import Check
from library_pipeline.settings import Settings
from library_pipeline.sources.http_cms import CmsConnection, HttpCms
from library_pipeline.sources.manifest import ManifestError, ManifestPage

_NAME = "cms"
_PATIENCE_SECONDS = 5.0


def check_cms(settings: Settings, *, patience: float = _PATIENCE_SECONDS) -> Iterator[Check]:
    """Yield what the CMS answers to a request for the first page, and to one if that is changed."""
    cms = settings.cms
    if not cms.base_url:
        way_out = (
            "set cms.base_url in library.yaml, or LIBRARY_CMS_BASE_URL; `library-pipeline "
            "sample-cms` serves one to play with, `library-pipeline demo` shows everything"
        )
        yield Check(_NAME, "wrong", "cms.base_url is not set", way_out)
        return
    try:
        connection = CmsConnection(
            base_url=cms.base_url,
            token=cms.token,
            allowed_hosts=cms.allowed_hosts,
            allowed_networks=cms.allowed_networks,
            page_size=cms.page_size,
            requests_per_second=cms.requests_per_second,
            timeout_seconds=min(cms.timeout_seconds, patience),
            answer_timeout_seconds=patience,
            max_attempts=1,
            rate_limit_patience_seconds=0,
        )
    except ValidationError as error:
        for item in error.errors():
            found = str(item["msg"]).removeprefix("Value error, ")
            yield Check(_NAME, "wrong", found, f"correct cms.{item['loc'][0]}")
        return
    token = "with" if connection.token else "without"
    with HttpCms(connection) as asked:
        try:
            page = next(asked.pages())
            yield _judge_page(page, f"{connection.base_url} answers, {token} a token: ")
            yield _judge_polls(asked)
        except ManifestError as error:
            yield Check(_NAME, "wrong", error.message, _way_out(error))


def _way_out(error: ManifestError) -> str:
    if error.transient:
        return "see that it runs, and that this machine can reach it (network, VPN, proxy)"
    if error.code in ("manifest.status_401", "manifest.status_403"):
        return "ask whoever runs the CMS for a token, and set LIBRARY_CMS_TOKEN to it"
    if error.code == "manifest.private_address":
        return "if the CMS is meant to be there, list its network in cms.allowed_networks"
    return "docs/cms.md says what a CMS answers"


def _judge_page(page: ManifestPage, who: str) -> Check:
    found = f"{who}{len(page.entries)} components"
    if page.next:
        found += " on the first page" + (f", {page.total} in all" if page.total else "")
    if page.problems:
        first = page.problems[0]
        found += f", {len(page.problems)} of them unusable ({first.message})"
        return Check(_NAME, "warning", found, "correct these entries in the CMS; the others work")
    if not page.entries:
        way_out = "is cms.base_url the right one, and may the token see the components?"
        return Check(_NAME, "warning", found, way_out)
    return Check(_NAME, "ok", found)


def _judge_polls(cms: HttpCms) -> Check:
    """Return whether asking again costs one small answer, or the whole manifest."""
    name, way_out = (
        "cms polls",
        "docs/cms.md says how a CMS answers 304; it saves both sides work",
    )
    if cms.etag is None:
        found = "the CMS gives no ETag, so every poll reads the whole manifest"
        return Check(name, "warning", found, way_out)
    if not cms.changed(cms.etag):
        return Check(name, "ok", "an unchanged library is answered with 304")
    found = "the CMS gives another ETag each time, so every poll reads the whole manifest"
    return Check(name, "warning", found, way_out)
