"""The bundle store: content by digest, whole or not at all, nothing else by any name."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from upath import UPath

from library_pipeline.bundles.store import BundleError, BundleStore

DATA = b"some bytes"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return UPath(tmp_path / "store" if request.param == "local" else f"memory://{uuid4()}/store")


def test_what_is_put_can_be_got_by_its_digest(root: UPath) -> None:
    store = BundleStore(root)
    file = store.put(DATA)
    assert (file.sha256, file.size) == (SHA256, len(DATA))
    assert store.get(SHA256) == DATA
    assert store.has(SHA256)
    assert store.find(SHA256) == file
    assert BundleStore(root).get(SHA256) == DATA


def test_a_file_lies_two_folders_deep(root: UPath) -> None:
    store = BundleStore(root)
    store.put(DATA)
    assert (root / SHA256[:2] / SHA256[2:4] / SHA256).read_bytes() == DATA
    assert store.url(SHA256).endswith(f"/{SHA256[:2]}/{SHA256[2:4]}/{SHA256}")


def test_putting_twice_writes_once(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    store.put(DATA)
    written = Path(store.url(SHA256)).stat().st_mtime_ns
    store.put(DATA)
    assert Path(store.url(SHA256)).stat().st_mtime_ns == written
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_file_url_is_a_local_folder(tmp_path: Path) -> None:
    store = BundleStore(f"file://{tmp_path}")
    store.put(DATA)
    assert store.local
    assert Path(store.url(SHA256)).read_bytes() == DATA


def test_the_empty_file_can_be_kept(root: UPath) -> None:
    store = BundleStore(root)
    assert not store.has(hashlib.sha256(b"").hexdigest())
    file = store.put(b"")
    assert store.has(file.sha256)
    assert store.get(file.sha256) == b""


def test_a_missing_file_says_how_to_get_it(root: UPath) -> None:
    store = BundleStore(root)
    assert not store.has(SHA256)
    with pytest.raises(BundleError, match="refresh its component with force") as caught:
        store.get(SHA256)
    assert caught.value.code == "bundle.missing"


@pytest.mark.parametrize("torn", [b"", b"some byteZ", b"some"])
def test_a_torn_file_is_noticed_and_repaired(root: UPath, torn: bytes) -> None:
    store = BundleStore(root)
    store.put(DATA)
    (root / SHA256[:2] / SHA256[2:4] / SHA256).write_bytes(torn)
    with pytest.raises(BundleError) as caught:
        store.get(SHA256)
    assert caught.value.code == "bundle.corrupt"
    store.put(DATA, replace=len(torn) == len(DATA))
    assert store.get(SHA256) == DATA


def test_an_empty_file_left_by_a_power_cut_does_not_count_as_kept(root: UPath) -> None:
    store = BundleStore(root)
    store.put(DATA)
    (root / SHA256[:2] / SHA256[2:4] / SHA256).write_bytes(b"")
    assert not store.has(SHA256)


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "/etc/passwd", SHA256.upper(), SHA256 + "\n", SHA256[:-1]]
)
def test_nothing_but_a_digest_is_a_name(tmp_path: Path, name: str) -> None:
    store = BundleStore(tmp_path)
    for use in (store.get, store.has, store.find, store.url):
        with pytest.raises(BundleError) as caught:
            use(name)
        assert caught.value.code == "bundle.bad_digest"


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    (tmp_path / SHA256[:2]).write_text("a file where a folder belongs")
    with pytest.raises(BundleError, match="can be read and written") as caught:
        store.put(DATA)
    assert caught.value.code == "bundle.inaccessible"
    assert list((tmp_path / "incoming").iterdir()) == []


def test_many_threads_may_put_the_same(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    data = [bytes([number]) * 1000 for number in range(5)]
    with ThreadPoolExecutor(8) as threads:
        files = list(threads.map(store.put, data * 20))
    assert {store.get(file.sha256) for file in files} == set(data)


def test_what_is_deleted_is_gone_and_may_be_deleted_twice(root: UPath) -> None:
    store = BundleStore(root)
    store.put(DATA)
    store.put(b"other")
    store.delete(SHA256)
    store.delete(SHA256)
    assert not store.has(SHA256)
    assert [file.size for file in store.digests()] == [5]
    assert store.put(DATA).sha256 == SHA256
    assert store.get(SHA256) == DATA


def test_everything_that_is_kept_is_listed_and_nothing_else(root: UPath) -> None:
    store = BundleStore(root)
    assert list(store.digests()) == []
    kept = {store.put(b"x" * size) for size in range(20)}
    for foreign in (
        "README",
        f"ab/cd/{SHA256}",
        f"{SHA256[:2]}/{SHA256[2:4]}/notes.txt",
        f"{SHA256[:2]}/{SHA256[2:4]}/{SHA256}.part",
        f"{SHA256[:2]}/{SHA256[2:4]}/deeper/{SHA256}",
        f"incoming/{SHA256[2:4]}/{SHA256}",
        "incoming/1-2-3",
    ):
        (root / foreign).parent.mkdir(parents=True, exist_ok=True)
        (root / foreign).write_bytes(DATA)
    assert set(store.digests()) == kept


def test_a_listing_that_fails_names_the_store(tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(BundleError, match="store/: No such file or directory") as caught:
        list(store.digests())
    assert caught.value.code == "bundle.inaccessible"


def test_a_sweep_removes_what_was_not_touched_for_so_long(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    store.put(DATA)
    left = tmp_path / "incoming" / "4711-0123456789ab-0"
    left.write_bytes(b"half")
    os.utime(left, (0, time.time() - 600))
    assert store.sweep(3600) == 0
    assert store.sweep(60) == 1
    assert not left.exists()
    assert store.has(SHA256)
    assert BundleStore(f"memory://{uuid4()}").sweep(0) == 0


def test_leftovers_of_killed_processes_are_removed_after_a_day(tmp_path: Path) -> None:
    BundleStore(tmp_path)
    old, young = tmp_path / "incoming" / "old", tmp_path / "incoming" / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * 86400))
    BundleStore(tmp_path)
    assert not old.exists()
    assert young.exists()
