"""docs/search.md: what it shows other programs works as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from library_pipeline.database.connection import Database
from library_pipeline.settings import load_settings
from tools.testing.bundles import picture
from tools.testing.indexing import Sample, index

PAGE = (Path(__file__).parents[1] / "docs" / "search.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def library(database: Database) -> Database:
    dark = {"theme": "dark"}
    samples = [Sample(f"hero-{n}", picture(f"hero-{n}"), attributes=dark) for n in range(10, 16)]
    samples += [Sample(f"p-{n}", picture(f"p-{n}"), category="pricing-table") for n in range(3)]
    index(database, load_settings(), samples)
    return database


def test_its_python_finds_components(library: Database) -> None:
    found = 0
    for block in blocks("python"):
        names: dict[str, Any] = {
            "DATABASE_URL": library.url,
            "MODEL": "demo",
            "COMPONENT_ID": "hero-12",
        }
        exec(compile(block, "docs/search.md", "exec"), names)
        assert names["rows"], block
        found += 1
    assert found == 2


def test_its_sql_works_for_a_role_of_its_own(library: Database) -> None:
    rights, question = blocks("sql")
    with library.connect() as connection:
        connection.execute(rights)
        try:
            connection.execute("set role studio")
            assert len(connection.execute(question).fetchall()) == 5
            assert connection.execute("select count(*) from library.component").fetchone() == (9,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select 1 from pipeline.component")
        finally:
            connection.execute("reset role")
            connection.execute("drop owned by studio")
            connection.execute("drop role studio")
