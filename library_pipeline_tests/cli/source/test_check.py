"""What whoever writes a mapping sees of it, right and wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from library_pipeline.database.connection import Database
from library_pipeline.sample_cms import SampleCms
from library_pipeline.sample_cms.faults import Faults, FileFault
from library_pipeline_tests.support.shop import (
    MAPPING,
    PAGING,
    TOKEN,
    Shop,
    command,
    configure,
    item,
    source,
)
from tools.testing.bundles import picture, write_bundle


def facts(output: str) -> list[str]:
    """Return the lines printed, with single spaces."""
    return [" ".join(line.split()) for line in output.splitlines()]


def report(*arguments: str, status: int = 0) -> dict[str, Any]:
    """Return the report on the only source."""
    outcome = command("check", "--json", *arguments)
    assert outcome.exit_code == status, outcome.output
    (found,) = json.loads(outcome.stdout)["sources"]
    return found


def test_a_good_mapping_is_shown_item_by_item(shop: Shop) -> None:
    configure(source(shop, paging=PAGING, page_size=3, query={"type": "hat"}))
    outcome = command("check")
    assert outcome.exit_code == 0, outcome.output
    lines = facts(outcome.output)
    for line in (
        f"asked {shop.url}/api/hats?... (query: limit, offset, type)",
        "first page 3 items, 3 usable",
        "the whole 4 items, there is a next page",
        "polls each poll reads about 2 pages; nothing else tells whether it has changed",
        "1 shop:1",
        "name Hat 1",
        "client north",
        "format inline, 3 bytes",
        f"screenshot {shop.url}/images/1.png?...",
        "3 of 3 items of this page can be used.",
    ):
        assert line in lines
    assert lines.count("note client: `meta.client` finds nothing here") == 1
    assert shop.asked == ["/api/hats"]


def test_no_more_items_are_shown_than_asked_for(shop: Shop) -> None:
    configure(source(shop))
    lines = facts(command("check", "--items", "1").output)
    assert "1 shop:1" in lines
    assert "2 shop:2" not in lines
    assert "3 more items: --items 4" in lines


def test_the_report_as_json_has_all_of_it(shop: Shop) -> None:
    shop.items[1] |= {"image": None}
    configure(source(shop, paging=PAGING, page_size=4))
    found = report()
    counts = [found[key] for key in ("items", "usable", "problems", "total", "goes_on", "ok")]
    assert counts == [4, 3, 1, 4, False, True]
    good, bad = found["shown"][:2]
    assert good["component"]["files"]["format"] == {"inline_bytes": 3, "sha256": None}
    assert bad["problem"]["code"] == "manifest.missing_file"
    assert bad["finds_nothing"] == {
        "client": "meta.client",
        "files.screenshot.url": "image",
    }
    assert bad["keys"]["title"] == "'Hat 2'"


def test_a_problem_shows_the_items_keys_once(shop: Shop) -> None:
    configure(source(shop, mapping=MAPPING | {"id": "uid"}))
    outcome = command("check")
    assert outcome.exit_code == 1
    lines = facts(outcome.output)
    assert lines.count("its keys id, title, meta.client, html, image") == 2
    assert lines.count("its keys as before") == 1
    assert "note id: `uid` finds nothing in any item of this page" in lines
    assert "None of the items is a usable component." in lines


def test_wrong_items_show_where_the_page_has_lists(shop: Shop) -> None:
    configure(source(shop, mapping=MAPPING | {"items": "results"}))
    outcome = command("check")
    assert outcome.exit_code == 1
    assert outcome.stderr == (
        "error: source shop: mapping.items finds None, not a list of items "
        "(the page's keys are 'meta', 'data')\n"
    )
    lines = facts(outcome.stdout)
    assert "a list `data.entries` finds 4 objects; is it the mapping's `items`?" in lines
    assert "the page meta.total: 4" in lines
    assert report(status=1)["lists"] == {"data.entries": 4}


def test_what_where_leaves_out_is_counted(shop: Shop) -> None:
    shop.items[0] |= {"hidden": True}
    configure(source(shop, mapping=MAPPING | {"where": "!hidden"}))
    lines = facts(command("check").output)
    assert "first page 4 items, 3 usable, 1 left out by `where`" in lines
    assert "1 left out by `where`" in lines


def test_a_total_that_paging_does_not_reach_is_doubted(shop: Shop) -> None:
    paging = {"style": "link", "size_param": "limit", "total": "meta.total"}
    configure(source(shop, paging=paging, page_size=2))
    whole = "the whole 4 items, but no next page is found; does `paging` fit this source?"
    assert whole in facts(command("check").output)


@pytest.mark.parametrize(
    ("etag", "polls"),
    [
        ('"1"', "conditional: one small request, answered 304 as long as nothing has changed"),
        (None, "conditional, but the answer has no ETag, so each poll reads the whole listing"),
    ],
)
def test_a_poll_that_can_be_conditional_is_tried(shop: Shop, etag: str | None, polls: str) -> None:
    shop.etag = etag
    configure(source(shop))
    assert report()["polls"] == polls


def test_hostile_names_do_not_reach_the_terminal(shop: Shop) -> None:
    """`command` sees to it that no escape character is printed."""
    title = "\x1b[2J\x1b]0;owned\x07 \u202etxt.exe \x9b2J"
    shop.items[:] = [item(1, title=title), item(2, title=["\x1b[2J"]), {"\x1b[2J": 1}]
    configure(source(shop))
    output = command("check").output
    assert r"\x1b[2J\x1b]0;owned\x07 \u202etxt.exe \x9b2J" in output
    assert not {"\x07", "\x9b", "\u202e"} & set(output)
    raw = command("check", "--json").stdout
    assert raw.isascii()
    assert json.loads(raw)["sources"][0]["shown"][0]["component"]["name"] == title


def test_a_server_that_repeats_the_token_does_not_get_it_shown(shop: Shop) -> None:
    """`command` sees to it that the token is not printed."""
    shop.items[:] = [item(1, title=f"your token is {TOKEN}"), item(2, id=[TOKEN])]
    configure(source(shop, mapping=MAPPING | {"attributes": {"of": "title"}}))
    assert "name your token is (hidden)" in facts(command("check").output)
    assert report()["shown"][0]["component"]["attributes"] == {"of": "your token is (hidden)"}


def test_a_refused_token_is_one_line_that_names_the_setting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "wrong")
    configure(source(shop))
    outcome = command("check")
    assert outcome.exit_code == 1
    assert outcome.stderr == (
        f"error: the manifest at {shop.url}/api/hats answered 401: "
        "set sources.shop.auth to a token of the CMS\n"
    )


def test_one_source_is_checked_without_the_secrets_of_the_others(shop: Shop) -> None:
    other = source(shop, "other", auth={"secret_env": "NOT_SET"})
    configure(source(shop), other)
    assert command("check", "shop").exit_code == 0
    failed = command("check", "other")
    assert failed.exit_code == 1
    assert "sources.other.auth: the environment variable NOT_SET is not set" in failed.stderr
    every = command("check", "--all", "--json", "--items", "0")
    assert every.exit_code == 1
    assert [found["ok"] for found in json.loads(every.stdout)["sources"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give the NAME of a source; there are shop, other"),
        (["hats"], "there is no source 'hats'; the sources are shop, other"),
        (["shop", "--all"], "give a NAME or --all, not both"),
    ],
)
def test_which_source_is_meant_has_to_be_clear(
    shop: Shop, arguments: list[str], words: str
) -> None:
    configure(source(shop), source(shop, "other"))
    outcome = command("check", *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_without_a_source_there_is_a_way_to_get_one() -> None:
    outcome = command("check")
    assert outcome.exit_code == 2
    assert "list `sources` in library.yaml" in outcome.stderr


def test_the_section_cms_is_a_source_too(cms: SampleCms) -> None:
    cms.faults = Faults(files=(FileFault("c-1", do="relative_url"),))
    found = report("cms")
    assert (found["items"], found["usable"], found["goes_on"]) == (6, 5, False)
    assert found["asked"] == f"{cms.url}/components"
    assert found["polls"].startswith("conditional: one small request")
    assert found["shown"][0]["component"]["id"] == "c-0"
    assert [each["problem"]["code"] for each in found["shown"] if each["problem"]]


def test_folders_and_files_show_what_they_have(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "hat.png").write_bytes(picture("hat"))
    write_bundle(tmp_path / "bundles", "c-1")
    rows = '{"id": 1, "title": "Hat", "image": "pictures/hat.png"}\nnot JSON\n{"id": 2}\n'
    (tmp_path / "hats.jsonl").write_text(rows)
    mapping = {"name": "title", "files": {"screenshot": {"url": "image"}}}
    configure(
        {"name": "images", "kind": "images", "path": "pictures"},
        {"name": "bundles", "kind": "bundles", "path": "bundles"},
        {"name": "items", "kind": "items", "path": "hats.jsonl", "mapping": mapping},
    )
    outcome = command("check", "--all", "--json")
    assert outcome.exit_code == 0, outcome.output
    images, bundles, items = json.loads(outcome.stdout)["sources"]
    assert [each["usable"] for each in (images, bundles, items)] == [1, 1, 1]
    assert bundles["shown"][0]["component"]["id"] == "bundles:c-1"
    good, no_json, no_image = items["shown"]
    assert (good["component"]["name"], good["finds_nothing"]) == ("Hat", {})
    assert (no_json["problem"]["code"], no_json["keys"]) == ("manifest.bad_line", {})
    assert no_image["finds_nothing"] == {"name": "title", "files.screenshot.url": "image"}


def test_rows_of_a_query_show_what_they_have(
    database: Database, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute("create table hat as select 1 as id, 'Hat' as title")
    monkeypatch.setenv("HATS", database.url)
    keys = {"sql": "select * from hat", "database_env": "HATS"}
    mapping = {"name": "title", "client": "owner", "files": {"screenshot": {"inline": "title"}}}
    configure({"name": "rows", "kind": "sql", **keys, "mapping": mapping})
    found = report()
    assert found["shown"][0]["component"]["name"] == "Hat"
    assert found["finds_nothing_anywhere"] == {"client": "owner"}
    assert found["polls"].startswith("the query runs")
