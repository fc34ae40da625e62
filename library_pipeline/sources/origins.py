"""Which URLs may be asked: the CMS's own origin and the hosts that are listed. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import httpx

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.wording import redacted, shorten

MAX_URL_LENGTH = 8192
_PORTS = {"http": 80, "https": 443}
# A backslash is a slash to some parsers; the others cannot stand in a URL at all.
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")

Refusal = Literal[
    "relative_url", "bad_scheme", "bad_url", "foreign_origin", "private_address", "foreign_path"
]


class UrlRefused(LibraryError, ValueError):
    """A URL must not be asked; `code` says which rule it breaks."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(code, message)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (
            "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        )


def origin_of(url: str) -> Origin:
    """Return the origin of an absolute http(s) URL; raises UrlRefused.

    The parser is that of the client that will ask, so both see the same host.
    """
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused("bad_url", f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _NEVER_IN_A_URL.search(url):
        raise UrlRefused("bad_url", "the URL holds a space, backslash or control character")
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused("bad_url", "this is not a valid URL") from error
    if not parsed.scheme:
        raise UrlRefused("relative_url", "the URL is relative; it must be absolute")
    if parsed.scheme not in _PORTS:
        raise UrlRefused(
            "bad_scheme", f"scheme {shorten(parsed.scheme)} is not allowed, only http and https"
        )
    if not host:
        raise UrlRefused("bad_url", "the URL names no host")
    if parsed.userinfo:
        raise UrlRefused("bad_url", "the URL holds a user name or password")
    return Origin(parsed.scheme, host, parsed.port or _PORTS[parsed.scheme])


class AllowedOrigins:
    """The origin of the CMS, and the listed hosts (`host` or `host:port`) that may keep files."""

    def __init__(
        self, base_url: str, allowed_hosts: Iterable[str] = (), *, key: str = "cms"
    ) -> None:
        """Allow these; `key` is what the settings call the CMS, for messages."""
        self._key = key
        self.cms = origin_of(base_url)
        # What is open to an https CMS is never asked for in the clear.
        schemes = ("https", "http") if self.cms.scheme == "http" else ("https",)
        listed = {origin_of(f"{scheme}://{host}") for host in allowed_hosts for scheme in schemes}
        self.origins = frozenset({self.cms, *listed})
        # Nothing behind "scheme://host:port/" can name another host, so these need no parsing.
        self._prefixes = tuple(f"{origin}/" for origin in self.origins)

    def check(self, url: str) -> None:
        """Raise UrlRefused unless `url` may be asked."""
        if (
            url.startswith(self._prefixes)
            and len(url) <= MAX_URL_LENGTH
            and not _NEVER_IN_A_URL.search(url)
        ):
            return
        origin = origin_of(url)
        if origin not in self.origins:
            raise UrlRefused(
                "foreign_origin",
                f"host {shorten(origin.host)} ({origin}) is not the CMS's ({self.cms}) and not in "
                f"{self._key}.allowed_hosts; list it there if the CMS keeps files on it",
            )

    def may_have_token(self, url: str) -> bool:
        """Return whether the CMS's token may go with a request for `url`."""
        return url.startswith(f"{self.cms}/") or origin_of(url) == self.cms

    def redirect_target(self, url: str, location: str) -> str:
        """Return where a redirect from `url` leads; raises UrlRefused where that is not allowed."""
        try:
            target = str(httpx.URL(url).join(location))
        except (httpx.InvalidURL, ValueError) as error:
            raise UrlRefused("bad_url", "the redirect names no valid URL") from error
        self.check(target)
        return target


def describe_refusal(url: str, refused: UrlRefused) -> str:
    """Return the refusal together with the URL, without its secrets."""
    return f"{redacted(url)}: {refused}"
