"""The doctor itself never hangs, never stops half-way and never shows a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from library_pipeline.cli.doctor.examination import Check, Examination, examine
from library_pipeline.cli.screen import settings_secrets
from library_pipeline.settings import CmsSettings, Settings

FINE = Check("fine", "ok", "is fine")


def states(*examinations: Examination) -> list[tuple[str, str]]:
    return [(check.name, check.state) for check in examine(examinations, frozenset())]


def test_one_that_raises_is_wrong_and_the_next_is_asked() -> None:
    def broken() -> Iterator[Check]:
        yield FINE
        raise RuntimeError("a surprise\nin two lines")

    found = list(examine([Examination("broken", broken), Examination("x", lambda: [FINE])], set()))
    assert [check.state for check in found] == ["ok", "wrong", "ok"]
    assert found[1].found == "RuntimeError: a surprise in two lines"


def test_even_one_that_wants_to_end_the_program_does_not() -> None:
    def leaves() -> Iterator[Check]:
        raise SystemExit(3)
        yield FINE

    assert states(Examination("leaves", leaves)) == [("leaves", "wrong")]


def test_one_that_hangs_is_left_behind_and_keeps_what_it_found() -> None:
    forever = threading.Event()

    def hangs() -> Iterator[Check]:
        yield FINE
        forever.wait()

    started = time.monotonic()
    found = states(Examination("hangs", hangs, seconds=0.2), Examination("x", lambda: [FINE]))
    forever.set()
    assert found == [("fine", "ok"), ("hangs", "wrong"), ("fine", "ok")]
    assert time.monotonic() - started < 3


def test_no_secret_gets_past_whatever_a_library_says() -> None:
    settings = Settings(
        cms=CmsSettings(token=SecretStr("t0ken")),
        database_url=SecretStr("postgresql://me:p%40ss@db/library"),
        dagster_database_url=SecretStr("postgresql+psycopg2://me:other@db/dagster"),
        bundle_store="s3://key:bucketpass@bucket/path",
    )
    said = (
        "bad conninfo postgresql://me:p%40ss@db/library, password p@ss, or other; "
        "Bearer t0ken; bucketpass; another"
    )
    blurting = Examination("x", lambda: [Check("x", "wrong", said, f"try {said}")])
    (check,) = examine([blurting], settings_secrets(settings))
    for text in (check.found, check.way_out or ""):
        for secret in ("p%40ss", "p@ss", "other;", "t0ken", "bucketpass"):
            assert secret not in text
        assert "another" in text  # a word that merely holds a secret is no secret


@pytest.mark.parametrize("text", ["a", "."])
def test_a_silly_password_does_not_blot_out_every_letter(text: str) -> None:
    check = Check("x", "ok", "a plain sentence.")
    (seen,) = examine([Examination("x", lambda: [check])], frozenset({text}))
    assert "plain sentence" in seen.found
