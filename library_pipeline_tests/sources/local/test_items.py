"""Files of items: formats, batches, bad lines, and images that must not be read."""

from __future__ import annotations

import json
import os
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.factory import local_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.local import items as item_files
from library_pipeline.sources.local.files import read_local
from library_pipeline.sources.source import NotModified, OpenSource
from library_pipeline_tests.support.local_sources import (
    FakeMapping,
    components,
    entries,
    etag,
    problems,
    settings,
)


def items(path: Path, **keys: Any) -> AbstractContextManager[OpenSource]:
    connection = CmsConnection(base_url="https://shop.example")
    source = settings("items", path=path, **keys)
    return local_source(source, mapping=FakeMapping, connection=connection).open()


def item(number: int, **keys: Any) -> dict[str, Any]:
    return {"id": number, "title": f"hat {number}", "image": f"images/{number}.png"} | keys


def write(path: Path, *found: Any) -> Path:
    """Write items, or text for a bad line, in the format of the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(found))
    else:
        lines = [one if isinstance(one, str) else json.dumps(one) for one in found]
        path.write_text("\n".join(lines))
    return path


def test_a_json_list_and_the_list_in_an_object_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "posters.json", item(1), item(2, title="Füße"))
    assert list(components(items(path))) == ["hat 1", "Füße"]
    path.write_text(json.dumps({"posters": [item(1)], "count": 1}))
    found = components(items(path, mapping={"items": "posters"}))["hat 1"]
    assert (found.component_id, found.source) == ("shop:1", "shop")


def test_images_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    images = tmp_path / "monday" / "images"
    images.mkdir(parents=True)
    (images / "100% #1?.png").write_bytes(b"hat")
    write(tmp_path / "monday" / "items.jsonl", item(1, image="images/100% #1?.png"))
    url = components(items(tmp_path))["hat 1"].files["screenshot"].url
    assert read_local(url, tmp_path, 100) == b"hat"


@pytest.mark.parametrize("header", ["id,title,image", "id;title;image", "id\ttitle\timage"])
def test_csv_with_its_columns_separators_and_byte_order_mark(tmp_path: Path, header: str) -> None:
    mark = header[2]
    rows = [header, mark.join(["1", '"big\nhat"', "1.png"]), mark.join(["2", '"b""b"', "2.png"])]
    path = tmp_path / "hats.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert list(components(items(path))) == ["big\nhat", 'b"b']


def test_a_csv_field_may_be_longer_than_the_csv_modules_own_limit(tmp_path: Path) -> None:
    path = tmp_path / "hats.csv"
    path.write_text(f"id,title,image,text\n1,hat,1.png,{'x' * 200_000}\n")
    assert list(components(items(path))) == ["hat"]


def test_later_batches_win_also_where_they_leave_an_item_out(tmp_path: Path) -> None:
    write(tmp_path / "batch-2.jsonl", item(1, price=1), item(2, price=1), item(3, price=1))
    write(tmp_path / "batch-9.jsonl", item(1, price=9))
    write(tmp_path / "batch-10.jsonl", item(1, price=10), item(3, hidden=True))
    found = components(items(tmp_path))
    assert set(found) == {"hat 1", "hat 2"}
    only_last = components(items(write(tmp_path / "alone" / "x.json", item(1, price=10))))
    # The images are missing in both, so only the items tell the revisions apart.
    assert found["hat 1"].revision == only_last["hat 1"].revision


def test_a_removed_item_and_a_removed_batch_are_not_listed(tmp_path: Path) -> None:
    write(tmp_path / "a.json", item(1), item(2))
    second = write(tmp_path / "b.json", item(3))
    before = etag(items(tmp_path))
    write(tmp_path / "a.json", item(2))
    second.unlink()
    assert list(components(items(tmp_path))) == ["hat 2"]
    with items(tmp_path) as source:
        assert source.changed(before)


def test_nothing_is_read_when_nothing_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", item(1))
    with items(path) as source:
        list(source.pages())
        assert not source.changed(source.etag)
        with pytest.raises(NotModified):
            next(source.pages(source.etag))


def test_another_picture_under_the_same_name_is_another_revision(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    path = write(tmp_path / "a.json", item(1))
    revisions: set[str] = set()
    for picture in (None, b"hat", b"other hat"):
        if picture:
            (tmp_path / "images" / "1.png").write_bytes(picture)
        revisions.add(components(items(path))["hat 1"].revision)
    assert len(revisions) == 3


def test_bad_lines_are_problems_with_their_numbers_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", item(1), "", '{"id": 2,', item(3), "[" * 100_000, "9" * 5000)
    found = problems(items(tmp_path))
    assert [re.findall(r"a.jsonl, line \d", problem.message) for problem in found] == [
        ["a.jsonl, line 3"],
        ["a.jsonl, line 5"],
        ["a.jsonl, line 6"],
    ]
    assert [problem.position for problem in found] == [1, 3, 4]
    assert len(entries(items(tmp_path))) == 5


def test_rows_that_do_not_fit_the_header_are_problems(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        'id,title,image\n1,hat,1.png\n2,hat\n\n3,hat,3.png,4\n4,"x"y,4.png\n5,b,5.png\n'
    )
    listed = entries(items(path))
    messages = [problem.message for problem in problems(items(path))]
    assert len(listed) == 5
    assert "line 3': it has 2 fields, the header 3" in messages[0]
    assert "line 5': it has 4 fields" in messages[1]
    assert "line 6': it is not CSV" in messages[2]


def test_an_item_that_cannot_be_used_is_named_with_its_file(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", item(1), "5")
    (found,) = problems(items(tmp_path))
    assert found.message.endswith("(a.jsonl, line 2)")


def test_what_python_writes_for_no_number_is_null(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", item(1, title=float("nan")))
    assert list(components(items(tmp_path))) == ["None"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b'[{"id": 1}', r"a\.json: it is not JSON \(Expecting"),
        ("a.json", b"", r"a\.json: it is not JSON"),
        ("a.json", b'[\n{"id": "\xff"}]', r"a\.json, line 2: the byte 0xff is not UTF-8"),
        ("a.jsonl", b'{}\n{}\n"\xe9"', r"a\.jsonl, line 3: the byte 0xe9 is not UTF-8"),
        ("a.csv", "id,title".encode("utf-16"), r"a\.csv, line 1: the byte 0xff is not UTF-8"),
        ("a.csv", b"", r"a\.csv: it is empty"),
        ("a.csv", b"id,title,id\n", r"a\.csv: its first line has the column 'id' twice"),
        ("a.csv", b"id,,title\n", r"a\.csv: its first line has one without name"),
        ("a.json", b'{"posters": 5}', "mapping.items finds no list"),
    ],
)
def test_nothing_is_concluded_from_a_file_that_cannot_be_read(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    write(tmp_path / "before.jsonl", item(1))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ManifestError, match=message):
        entries(items(tmp_path))


def test_files_beyond_the_limits_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.jsonl", item(1), item(2))
    with pytest.raises(ManifestError, match="raise its max_items"):
        entries(items(tmp_path, max_items=1))
    monkeypatch.setattr(item_files, "_MAX_LINE", 20)
    with pytest.raises(ManifestError, match=r"a\.jsonl, line 1: it is longer than 20 bytes"):
        entries(items(tmp_path))
    with (tmp_path / "b.jsonl").open("wb") as sparse:
        sparse.truncate(item_files.MAX_BYTES + 1)
    with pytest.raises(ManifestError, match=r"b\.jsonl is larger than 536,870,912 bytes; split"):
        entries(items(tmp_path))


def test_a_file_of_another_format_and_one_that_is_gone_are_errors(tmp_path: Path) -> None:
    (tmp_path / "posters.txt").write_text("[]")
    with pytest.raises(ManifestError, match="ends in none of .csv, .json, .jsonl, .ndjson"):
        entries(items(tmp_path / "posters.txt"))
    for path in (tmp_path / "posters.json", tmp_path / "gone"):
        with pytest.raises(ManifestError, match="No such file") as caught:
            entries(items(path))
        assert caught.value.transient


def test_the_file_itself_may_be_a_link_but_batches_in_a_folder_stay_there(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "batch.json", item(1))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "latest.json").symlink_to("../elsewhere/batch.json")
    (found,) = components(items(tmp_path / "shop" / "latest.json")).values()
    assert found.files["screenshot"].url == f"file://{tmp_path}/shop/images/1.png"
    assert entries(items(tmp_path / "shop")) == []


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://evil.example/etc/passwd",
        "//evil.example/share/a.png",
        "file://{folder}/..%2fsecret.png",
        "..\\secret.png",
        "images/a.png\0",
        "link.png",
        "http://169.254.169.254/latest/meta-data",
        "data:text/plain,x",
    ],
)
def test_an_image_outside_the_folder_is_refused(tmp_path: Path, image: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = tmp_path / "shop"
    write(folder / "a.json", item(1, image=image.format(folder=folder)), item(2))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (found,) = problems(items(folder))
    assert found.component_id == "shop:1"
    assert len(entries(items(folder))) == 2


def test_a_pipe_as_an_image_is_listed_but_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.json")
    write(tmp_path / "a.json", item(1, image="pipe.png"))
    url = components(items(tmp_path))["hat 1"].files["screenshot"].url
    with pytest.raises(OSError, match="not a regular file"):
        read_local(url, tmp_path, 100)


def test_another_mapping_is_another_source(tmp_path: Path) -> None:
    """An ETag stands for the files only; under another mapping all has to be read anew."""
    one = settings("items", path=tmp_path)
    other = settings("items", path=tmp_path, mapping={"name": "title"})
    identities = {local_source(keys, mapping=FakeMapping).identity for keys in (one, other)}
    assert len(identities) == 2
