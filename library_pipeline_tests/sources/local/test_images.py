"""A folder of pictures: who stays who when files move, and what is never looked at."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote

import pytest

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.local.files import LocalFiles, read_local
from library_pipeline.sources.local.images import open_images
from library_pipeline.sources.source import NotModified, OpenSource
from library_pipeline_tests.support.local_sources import components, etag, problems, settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "hats" / "winter").mkdir(parents=True)
    (folder / "cover.PNG").write_bytes(b"cover")
    (folder / "hats" / "winter" / "Füße & 100%.jpg").write_bytes(b"feet")
    return folder


def images(folder: Path, **keys: object) -> AbstractContextManager[OpenSource]:
    return open_images(settings("images", path=folder, **keys))


def test_each_picture_is_a_component_named_by_its_path(folder: Path) -> None:
    found = components(images(folder))
    assert list(found) == ["cover", "hats/winter/Füße & 100%"]
    feet = found["hats/winter/Füße & 100%"]
    assert feet.component_id.startswith("shop:")
    assert (feet.category, feet.source) == ("hats/winter", "shop")
    assert read_local(feet.files["screenshot"].url, folder, 100) == b"feet"
    LocalFiles(folder).check(feet.files["screenshot"].url)
    header, _, config = feet.files["config"].url.partition(",")
    assert header == "data:application/json"
    assert json.loads(unquote(config))["path"] == "hats/winter/Füße & 100%.jpg"
    assert feet.updated_at


def test_a_renamed_picture_keeps_its_id_and_has_a_new_revision(folder: Path) -> None:
    before = components(images(folder))["cover"]
    (folder / "cover.PNG").rename(folder / "hats" / "front.png")
    after = components(images(folder))["hats/front"]
    assert after.component_id == before.component_id
    assert after.revision != before.revision
    assert after.category == "hats"


def test_an_edited_picture_is_another_component(folder: Path) -> None:
    before = components(images(folder))["cover"]
    (folder / "cover.PNG").write_bytes(b"COVER")
    assert components(images(folder))["cover"].component_id != before.component_id


def test_the_same_picture_twice_is_one_component_with_the_first_path(folder: Path) -> None:
    (folder / "copy-of-cover.jpeg").write_bytes(b"cover")
    (folder / "zz.jfif").write_bytes(b"cover")
    assert "cover" not in components(images(folder))
    first = components(images(folder))["copy-of-cover"]
    (folder / "copy-of-cover.jpeg").unlink()
    assert components(images(folder))["cover"].component_id == first.component_id


def test_hidden_files_other_files_and_links_out_are_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "x.png").write_bytes(b"others")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "others").symlink_to(tmp_path / "others")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "x.png").write_bytes(b"thumbnail")
    (folder / "._cover.png").write_bytes(b"fork")
    (folder / "notes.txt").write_bytes(b"text")
    (folder / "clip.gif").write_bytes(b"film")
    os.mkfifo(folder / "pipe.png")
    assert len(components(images(folder))) == 2


def test_links_that_stay_in_the_folder_are_followed(folder: Path) -> None:
    """git-annex keeps pictures in a hidden folder and links to them."""
    (folder / ".annex").mkdir()
    (folder / ".annex" / "key").write_bytes(b"annexed")
    (folder / "annexed.webp").symlink_to(".annex/key")
    assert components(images(folder))["annexed"].files["screenshot"].url.endswith("/annexed.webp")


def test_nothing_is_read_when_nothing_changed(folder: Path) -> None:
    with images(folder) as source:
        list(source.pages())
        assert source.etag
        assert not source.changed(source.etag)
        with pytest.raises(NotModified):
            next(source.pages(source.etag))
        (folder / "hats" / "winter" / "Füße & 100%.jpg").rename(folder / "hats" / "feet.jpg")
        assert source.changed(source.etag)
        assert len(next(source.pages(source.etag)).entries) == 2


@pytest.mark.parametrize("what", ["edit", "remove", "add", "edit with the old time"])
def test_every_change_has_another_etag(folder: Path, what: str) -> None:
    before, cover = etag(images(folder)), folder / "cover.PNG"
    status = cover.stat()
    if what == "remove":
        cover.unlink()
    elif what == "add":
        (folder / "new.png").write_bytes(b"new")
    else:
        cover.write_bytes(b"COVER")
    if what == "edit with the old time":
        os.utime(cover, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert etag(images(folder)) != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_a_problem_and_the_others_go_on(folder: Path) -> None:
    (folder / "cover.PNG").chmod(0)
    (folder / "locked").mkdir(mode=0)
    found = problems(images(folder))
    assert [problem.code for problem in found] == ["manifest.unreadable"] * 2
    assert all(problem.component_id is None for problem in found)


def test_a_picture_that_is_gone_before_it_is_read_is_a_problem(folder: Path) -> None:
    """It may only have been renamed: nothing may be removed for it."""
    with images(folder, page_size=1) as source:
        pages = source.pages()
        for number in range(300):
            (folder / f"{number:03}.png").write_bytes(str(number).encode())
        first = next(pages)  # looks, and reads 256 pictures ahead
        assert isinstance(first.entries[0], Component)
        (folder / "hats" / "winter" / "Füße & 100%.jpg").unlink()
        rest = [entry for page in pages for entry in page.problems]
    assert [(problem.code, problem.component_id) for problem in rest] == [
        ("manifest.unreadable", None)
    ]
    assert "No such file" in rest[0].message


def test_nothing_is_concluded_from_a_folder_that_is_gone(folder: Path) -> None:
    folder.rename(folder.parent / "unmounted")
    for read in (etag, components):
        with pytest.raises(ManifestError, match="cannot be read .No such file") as caught:
            read(images(folder))
        assert caught.value.transient


def test_an_empty_folder_lists_nothing(tmp_path: Path) -> None:
    """Whether all may be removed is for the guard on removals to say."""
    assert components(images(tmp_path)) == {}


def test_more_pictures_than_max_items_are_an_error_that_names_the_key(folder: Path) -> None:
    with pytest.raises(ManifestError, match="source shop lists more than 1 items; .* max_items"):
        components(images(folder, max_items=1))


def test_names_that_are_no_text_can_be_stored_and_read(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"cafe")
    (folder / ("n" * 200) / ("m" * 200)).mkdir(parents=True)
    (folder / ("n" * 200) / ("m" * 200) / ("o" * 200 + ".png")).write_bytes(b"deep")
    found = components(images(folder))
    assert read_local(found["caf\ufffd"].files["screenshot"].url, folder, 100) == b"cafe"
    assert all(len(name) <= 500 for name in found)


def test_twenty_thousand_pictures_are_listed_in_pages(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:03}").mkdir()
        for inner in range(100):
            (tmp_path / f"{number:03}" / f"{inner}.png").write_bytes(f"{number} {inner}".encode())
    with images(tmp_path) as source:
        pages = list(source.pages())
    assert {len(page.entries) for page in pages} == {500}
    assert len({component.component_id for page in pages for component in page.components}) == 20000
