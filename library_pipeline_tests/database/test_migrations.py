"""Migrations: each file once, whole or not at all, and every way in which files and ledger part."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from library_pipeline.database.migrations import (
    BadMigrationError,
    ChangedMigrationError,
    FailedMigrationError,
    MigrationError,
    NewerDatabaseError,
    migrate,
    pending,
)
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline_tests.support.databases import copied_database, running_server

_SOURCE = Path(__file__).parents[2]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with running_server() as (_, held):
        yield held


@pytest.fixture
def url(server: EmbeddedServer) -> Iterator[str]:
    """An empty database of the test's own."""
    with copied_database(server, f"migrate_{next(_numbers)}", "template1") as database:
        yield database.url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good migrations."""
    (tmp_path / "0001_first.sql").write_text(
        "create table a (n integer);\ninsert into a values (1);"
    )
    (tmp_path / "0002_second.sql").write_text("alter table a add column text text default '50%';\n")
    return tmp_path


def _rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_files_are_applied_in_order_and_once(url: str, folder: Path) -> None:
    assert pending(url, folder) == ["0001_first", "0002_second"]
    assert migrate(url, folder) == ["0001_first", "0002_second"]
    assert migrate(url, folder) == []
    assert pending(url, folder) == []
    assert _rows(url, "select * from a") == [(1, "50%")]
    sha = hashlib.sha256((folder / "0001_first.sql").read_bytes()).hexdigest()
    assert _rows(url, "select name, sha256 from pipeline.migration order by number")[0] == (
        "0001_first",
        sha,
    )


def test_pending_changes_nothing(url: str, folder: Path) -> None:
    pending(url, folder)
    assert _rows(url, "select to_regnamespace('pipeline')") == [(None,)]


def test_a_connection_is_used_and_left_as_it_was(url: str, folder: Path) -> None:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        assert migrate(connection, folder) == ["0001_first", "0002_second"]
        assert pending(connection, folder) == []
        assert not connection.autocommit
        assert connection.execute(
            "select count(*) as n from pg_locks where locktype = 'advisory'"
        ).fetchone() == {"n": 0}


def test_a_connection_inside_a_transaction_is_refused(url: str, folder: Path) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("select 1")
        with pytest.raises(MigrationError, match="inside a transaction; commit it"):
            migrate(connection, folder)


def test_a_failing_file_leaves_nothing_and_names_its_line(url: str, folder: Path) -> None:
    bad = folder / "0003_bad.sql"
    bad.write_text("create table b (n integer);\n\ncreate tabel c ();\n")
    with pytest.raises(FailedMigrationError, match=r"0003_bad\.sql line 3: syntax error"):
        migrate(url, folder)
    assert _rows(url, "select to_regclass('b')") == [(None,)]
    assert pending(url, folder) == ["0003_bad"]
    bad.write_text("create table b (n integer);\n")
    assert migrate(url, folder) == ["0003_bad"]


def test_a_changed_file_is_refused_with_both_checksums(url: str, folder: Path) -> None:
    migrate(url, folder)
    file = folder / "0001_first.sql"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text("create table a (n bigint);")
    after = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ChangedMigrationError) as caught:
        migrate(url, folder)
    for part in ("0001_first.sql", before, after, "new migration, 0003_"):
        assert part in str(caught.value)


def test_line_ends_do_not_count_as_a_change(url: str, folder: Path) -> None:
    """Git on Windows checks text files out with other line ends."""
    migrate(url, folder)
    file = folder / "0001_first.sql"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(url, folder) == []


def test_a_missing_applied_file_is_named(url: str, folder: Path) -> None:
    migrate(url, folder)
    (folder / "0001_first.sql").unlink()
    with pytest.raises(ChangedMigrationError, match=r"0001_first was applied.*restore it"):
        migrate(url, folder)


def test_a_database_newer_than_the_program_is_refused(url: str, folder: Path) -> None:
    migrate(url, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(NewerDatabaseError, match=r"0002_second.*up to 0001; upgrade library-pip"):
        pending(url, folder)


def test_a_gap_in_the_numbers_is_refused(url: str, folder: Path) -> None:
    (folder / "0004_fourth.sql").write_text("select 1;")
    with pytest.raises(BadMigrationError, match=r"number 0003 is missing before 0004_fourth\.sql"):
        migrate(url, folder)
    assert _rows(url, "select * from pipeline.migration") == []


def test_two_files_of_one_number_are_refused(url: str, folder: Path) -> None:
    (folder / "0002_other.sql").write_text("select 1;")
    with pytest.raises(BadMigrationError, match=r"0002_other\.sql and 0002_second\.sql .*0003"):
        migrate(url, folder)


@pytest.mark.parametrize("name", ["3_third.sql", "0003-third.sql", "0003_Third.sql", "third.sql"])
def test_a_bad_name_is_refused(url: str, folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(BadMigrationError, match="not a migration's name; it must look like"):
        migrate(url, folder)


def test_an_older_file_that_was_never_applied_is_refused(url: str, folder: Path) -> None:
    """Two branches that were merged in the wrong order."""
    migrate(url, folder)
    with psycopg.connect(url) as connection:
        connection.execute("delete from pipeline.migration where number = 1")
    with pytest.raises(BadMigrationError, match=r"0001_first\.sql was never applied.*0002 was"):
        migrate(url, folder)


@pytest.mark.parametrize("line", ["COMMIT;", "begin transaction;", "rollback ;"])
def test_a_file_with_its_own_transaction_is_refused(url: str, folder: Path, line: str) -> None:
    (folder / "0003_own.sql").write_text(f"create table b ();\n{line}\n")
    with pytest.raises(BadMigrationError, match=r"0003_own\.sql says .* take that line out"):
        migrate(url, folder)


def test_a_function_body_is_not_taken_for_a_transaction(url: str, folder: Path) -> None:
    (folder / "0003_function.sql").write_text(
        "create function f() returns integer language plpgsql as $$\nbegin\n  return 1;\nend;\n$$;"
    )
    assert migrate(url, folder)[-1] == "0003_function"


def test_a_missing_folder_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadMigrationError, match="nowhere is not a folder of migrations"):
        migrate(url, tmp_path / "nowhere")


def test_programs_that_migrate_at_once_apply_each_file_once(url: str, folder: Path) -> None:
    (folder / "0003_slow.sql").write_text("select pg_sleep(0.3); create table c ();")
    program = (
        "import sys; from pathlib import Path;"
        "from library_pipeline.database.migrations import migrate;"
        "print(len(migrate(sys.argv[1], Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", program, url, str(folder)]
    started = [
        subprocess.Popen(command, cwd=_SOURCE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert sorted(process.communicate()[0].strip() for process in started) == ["0", "0", "3"]


def test_the_program_s_own_migrations_apply(url: str) -> None:
    folder = _SOURCE / "sql"
    applied = migrate(url, folder)
    assert applied == [path.stem for path in sorted(folder.glob("*.sql"))]
