"""No URL that is let through leads out of the folder, and no file outside is ever read."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library_pipeline.sources.http.rules import AllowedOrigins, UrlRefused
from library_pipeline.sources.inline import item_file_url
from library_pipeline.sources.local.files import LocalFiles, TooLarge, read_local


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, and a secret beside it; links lead in and out."""
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"picture")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "shop-2").mkdir()
    (tmp_path / "shop-2" / "x.png").write_bytes(b"secret")
    (folder / "out.png").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in.png").symlink_to(folder / "images" / "a.png")
    (folder / "round.png").symlink_to(folder / "round.png")
    return folder


def refusal(folder: Path, url: str) -> str:
    """Return the code with which `url` is refused, by the check as by reading."""
    with pytest.raises(UrlRefused) as checked:
        LocalFiles(folder).check(url)
    with pytest.raises(UrlRefused) as read:
        read_local(url, folder, 1000)
    assert read.value.code == checked.value.code or not url.startswith("file:")
    return checked.value.code


@pytest.mark.parametrize(
    "path", ["images/a.png", "in.png", "images/../images/a.png", "up/shop/images/a.png"]
)
def test_what_really_is_below_the_folder_is_read(folder: Path, path: str) -> None:
    url = f"file://{folder}/{path}"
    LocalFiles(folder).check(url)
    assert read_local(url, folder, 7) == b"picture"


@pytest.mark.parametrize(
    "path",
    [
        "{}/../secret",
        "{}/images/../../secret",
        "{}/%2e%2e/secret",
        "{}/out.png",
        "{}/up/secret",
        "{}-2/x.png",  # begins like the folder
        "{}",
        "{}/",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "/C:/Windows/win.ini",
    ],
)
def test_what_is_elsewhere_is_a_foreign_path(folder: Path, path: str) -> None:
    assert refusal(folder, "file://" + path.format(folder)) == "foreign_path"


@pytest.mark.parametrize(
    "url",
    [
        "file:{}/images/a.png",
        "file://localhost{}/images/a.png",
        "file://evil.example{}/images/a.png",
        "file:////evil.example/share{}/images/a.png",
        "file://{}/images%2fa.png",
        "file://{}/..%2fsecret",
        "file://{}/images/a.png%00.jpg",
        "file://{}/images/a.png\0",
        "file://{}/images/a.png?x",
        "file://{}/images/a.png#x",
        "file://{}\\images\\a.png",
        "file:\\\\evil.example\\share",
        "file://{}/" + "a" * 20_000,
        "file://{}/\ud800",
    ],
)
def test_forms_that_parsers_disagree_on_are_refused(folder: Path, url: str) -> None:
    assert refusal(folder, url.format(folder)) == "bad_url"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://evil.example/a.png", "bad_scheme"),
        ("data:image/png;base64,AAAA", "bad_scheme"),
        ("C:\\images\\a.png", "bad_scheme"),
        (" file:///etc/passwd", "bad_scheme"),
        ("images/a.png", "relative_url"),
        ("https://cdn.example.com/a.png", "foreign_origin"),
    ],
)
def test_other_urls_are_refused(folder: Path, url: str, code: str) -> None:
    assert refusal(folder, url) == code


def test_listed_hosts_may_have_files_too(folder: Path) -> None:
    files = LocalFiles(folder, AllowedOrigins("https://shop.example", ["cdn.example.com"]))
    files.check("https://cdn.example.com/a.png")
    files.check(f"file://{folder}/in.png")
    with pytest.raises(UrlRefused) as refused:
        files.check("https://169.254.169.254/latest")
    assert refused.value.code == "foreign_origin"


def test_only_regular_files_are_read_and_none_is_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(folder)
        listening.bind("socket.png")
        for name in ("pipe.png", "socket.png", "images", "round.png"):
            LocalFiles(folder).check(f"file://{folder}/{name}")
            with pytest.raises(OSError):
                read_local(f"file://{folder}/{name}", folder, 1000)
    with pytest.raises(FileNotFoundError):
        read_local(f"file://{folder}/gone.png", folder, 1000)


def test_a_file_beyond_the_limit_is_too_large(folder: Path) -> None:
    with pytest.raises(TooLarge):
        read_local(f"file://{folder}/images/a.png", folder, 6)


def test_a_file_that_became_a_link_after_the_check_is_not_read(folder: Path) -> None:
    url = f"file://{folder}/images/a.png"
    LocalFiles(folder).check(url)
    (folder / "images" / "a.png").unlink()
    (folder / "images" / "a.png").symlink_to(folder.parent / "secret")
    with pytest.raises(UrlRefused) as refused:
        read_local(url, folder, 1000)
    assert refused.value.code == "foreign_path"


def test_a_folder_may_be_a_link_itself(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder)
    assert read_local(f"file://{link}/in.png", link, 1000) == b"picture"
    assert read_local(f"file://{folder}/in.png", link, 1000) == b"picture"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("images/100% silk #3?.jpg", "file:///shop/images/100%25%20silk%20%233%3F.jpg"),
        ("Füße.png", "file:///shop/F%C3%BC%C3%9Fe.png"),
        ("../../etc/passwd", "file:///shop/../../etc/passwd"),
        ("/etc/passwd", "file:///etc/passwd"),
        ("//evil.example/x", "file:////evil.example/x"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("https://cdn.example.com/a.png", "https://cdn.example.com/a.png"),
        ("C:\\images\\a.png", "C:\\images\\a.png"),
    ],
)
def test_a_reference_is_a_path_unless_it_has_a_scheme(reference: str, url: str) -> None:
    assert item_file_url(reference, "file:///shop/items.json") == url


_segments = st.one_of(
    st.sampled_from(["..", ".", "", "images", "up", "in.png", "out.png", "a.png", "secret"]),
    st.sampled_from(["%2e%2e", "..%2f", "%252e%252e", "..\\", "%5c..", "\0", "%00", "~", "C:"]),
    st.text(max_size=5),
)


@hypothesis_settings(
    max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    start=st.sampled_from(["file://{}", "FILE://{}", "file:///", "file://localhost{}", "file:{}"]),
    segments=st.lists(_segments, max_size=8),
)
def test_no_url_that_is_accepted_leads_out(folder: Path, start: str, segments: list[str]) -> None:
    url = "/".join([start.format(folder), *segments])
    try:
        LocalFiles(folder).check(url)
    except UrlRefused:
        return
    real = Path(os.path.realpath(unquote(url.partition("://")[2], errors="surrogateescape")))
    assert real != folder
    assert real.is_relative_to(folder)
    try:
        assert read_local(url, folder, 1000) == b"picture"
    except OSError:
        assert not real.is_file()


@hypothesis_settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs", "Cc"]), min_size=1)
)
def test_any_name_of_a_file_survives_its_url(name: str) -> None:
    url = item_file_url(f"images/{name}", "file:///shop/items.json")
    if ":" not in name:
        assert url == f"file:///shop/images/{quote(name, safe='')}"
    if name not in (".", ".."):
        LocalFiles(Path("/shop")).check(url)
