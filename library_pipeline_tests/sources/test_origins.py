"""Which URLs may be asked, and which of them get the token."""

from __future__ import annotations

import pytest

from library_pipeline.sources.http.rules import AllowedOrigins, UrlRefused, origin_of
from library_pipeline.sources.text import redacted


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://CMS.example.com/a", "https://cms.example.com"),
        ("https://cms.example.com:443/a", "https://cms.example.com"),
        ("http://[::1]:8100/a", "http://[::1]:8100"),
        ("http://127.0.0.1:8100?x=/", "http://127.0.0.1:8100"),
        ("https://b\u00fccher.example/", "https://b\u00fccher.example"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert str(origin_of(url)) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://cms.example.com/x",
        "https://CMS.EXAMPLE.COM:443/x",
        "https://cms.example.com",
        "https://cdn.example.com/x",
        "https://files.example.com:8443/x",
    ],
)
def test_the_cms_and_listed_hosts_may_be_asked(url: str) -> None:
    hosts = ["cdn.example.com", "files.example.com:8443"]
    AllowedOrigins("https://cms.example.com", hosts).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/x",  # in the clear, though the CMS is https
        "https://files.example.com/x",  # another port than the listed one
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://sub.cdn.example.com/",
        "https://cdn.example.com.evil.example/",
        "https://evil.example/?https://cms.example.com/",
        "https://evil.example#https://cms.example.com/",
    ],
)
def test_anything_else_is_a_foreign_origin(url: str) -> None:
    hosts = ["cdn.example.com", "files.example.com:8443"]
    with pytest.raises(UrlRefused) as caught:
        AllowedOrigins("https://cms.example.com", hosts).check(url)
    assert caught.value.code == "foreign_origin"


def test_a_cms_without_tls_may_keep_files_on_hosts_without_tls() -> None:
    origins = AllowedOrigins("http://localhost:8100", ["cdn.local"])
    origins.check("http://cdn.local/x")
    origins.check("https://cdn.local/x")


def test_only_the_cms_gets_the_token() -> None:
    origins = AllowedOrigins("https://cms.example.com/api", ["cdn.example.com"])
    assert origins.may_have_token("https://cms.example.com/elsewhere")
    assert origins.may_have_token("https://CMS.example.com:443/x")
    assert not origins.may_have_token("https://cdn.example.com/x")
    assert not origins.may_have_token("https://cms.example.com:8443/x")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://cms.example.com/b"),
        ("b?x=1", "https://cms.example.com/a/b?x=1"),
        ("https://cdn.example.com/c", "https://cdn.example.com/c"),
    ],
)
def test_a_redirect_is_followed_within_allowed_origins(location: str, target: str) -> None:
    origins = AllowedOrigins("https://cms.example.com", ["cdn.example.com"])
    assert origins.redirect_target("https://cms.example.com/a/x", location) == target


@pytest.mark.parametrize("location", ["//evil.example/", "http://cms.example.com/", "ftp://x/"])
def test_a_redirect_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(UrlRefused):
        AllowedOrigins("https://cms.example.com").redirect_target(
            "https://cms.example.com", location
        )


def test_messages_show_urls_without_user_query_and_fragment() -> None:
    assert redacted("https://u:p@cms.example.com/a?sig=1#f") == "https://cms.example.com/a?..."
    assert redacted("https://cms.example.com/\ud800\n") == r"https://cms.example.com/\ud800\n"
    assert len(redacted("https://cms.example.com/" + "a" * 9000)) < 400
