"""How one CMS is asked: its address, credentials, pace, patience and limits, as one value."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote_plus

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from library_pipeline.catalog.component import FileKind
from library_pipeline.settings.fields import network
from library_pipeline.sources.http.rules import (
    AllowedAddresses,
    AllowedOrigins,
    UrlRefused,
    origin_of,
)

_MB = 1024 * 1024
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, a token
# Headers that describe the request itself; credentials there would break it, or its limits.
_NOT_CREDENTIALS = frozenset({
    "host", "connection", "content-length", "transfer-encoding", "te", "expect", "upgrade",
    "accept-encoding", "range", "if-none-match",
})  # fmt: skip


class Auth(BaseModel):
    """Credentials of one kind. Neither `secret` nor `user`, which is often a key, is ever shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["bearer", "basic", "header", "query"] = "bearer"
    name: str | None = None
    """The header's or the query key's name."""
    user: str | None = Field(default=None, repr=False)
    secret: SecretStr

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if not self._secret:
            raise ValueError("the secret of auth is empty")
        if not self._secret.isprintable():
            raise ValueError("the secret of auth holds a line break or another control character")
        check = {
            "bearer": self._check_bearer,
            "basic": self._check_basic,
            "header": self._check_header,
            "query": self._check_query,
        }
        check[self.kind]()
        return self

    @property
    def headers(self) -> dict[str, str]:
        """The headers to send; none if the credentials go into the query."""
        match self.kind:
            case "bearer":
                return {"Authorization": f"Bearer {self._secret}"}
            case "basic":
                pair = f"{self.user}:{self._secret}".encode()
                return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            case "header":
                return {str(self.name): self._secret}
            case "query":
                return {}

    def added_to(self, url: str) -> str:
        """Return `url` with the key in its query, for auth of this kind.

        A URL that already has a key of that name keeps its own.
        """
        if self.kind != "query":
            return url
        bare = url.partition("#")[0]
        path, mark, query = bare.partition("?")
        if any(_decoded(pair)[0] == self.name for pair in query.split("&")):
            return url
        pair = f"{quote(str(self.name), safe='')}={quote(self._secret, safe='')}"
        return f"{path}?{query}&{pair}" if mark and query else f"{path}?{pair}"

    def removed_from(self, url: str) -> str:
        """Return `url` without the key, which a server may repeat in a redirect."""
        bare, mark, query = url.partition("#")[0].partition("?")
        if self.kind != "query" or not mark:
            return url
        pairs = query.split("&")
        kept = [pair for pair in pairs if _decoded(pair) != (self.name, self._secret)]
        if len(kept) == len(pairs):
            return url
        return f"{bare}?{'&'.join(kept)}" if kept else bare

    @property
    def _secret(self) -> str:
        # A final line break belongs to the file, not to the secret.
        return self.secret.get_secret_value().strip()

    def _check_bearer(self) -> None:
        if not self._secret.isascii() or " " in self._secret:
            raise ValueError("a bearer token must be printable ASCII without spaces")

    def _check_basic(self) -> None:
        user = self.user or ""
        if not user or ":" in user or not user.isprintable():
            raise ValueError("basic auth needs a user, without colons and control characters")

    def _check_header(self) -> None:
        name = self.name or ""
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("header auth needs the header's name, like X-Api-Key")
        if name.lower() in _NOT_CREDENTIALS:
            raise ValueError(
                f"credentials cannot go into the header {name}; name another, like X-Api-Key"
            )
        if not self._secret.isascii():
            raise ValueError("a secret in a header must be printable ASCII")

    def _check_query(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError("query auth needs the key's name, like api_key")


class ByteLimits(BaseModel):
    """The maximum size in bytes of one file of each kind, and of one page of the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Count = 4 * _MB
    format: Count = 4 * _MB
    records: Count = 32 * _MB
    screenshot: Count = 64 * _MB
    manifest_page: Count = 64 * _MB

    def of(self, kind: FileKind) -> int:
        """Return the limit for one kind of file."""
        return getattr(self, kind)


class CmsConnection(BaseModel):
    """How one CMS is asked. It holds credentials but never shows them."""

    # Errors must not repeat their input: a base URL may hold a password by mistake.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str
    key: str = "cms"
    """The CMS's key in the settings, for messages."""
    token: SecretStr | None = None
    """A bearer token: short for the most common `auth`."""
    auth: Auth | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    """Networks (CIDR) that are not public, and yet allowed for the addresses of names."""
    page_size: Count = 500
    max_pages: Count = 20_000
    concurrency: Count = 16
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Seconds = 30.0
    """The maximum wait for a connection or for the next bytes."""
    answer_timeout_seconds: Seconds = 120.0
    """The maximum time of one whole answer, even if its bytes keep coming."""
    max_attempts: Count = 5
    backoff_seconds: Seconds = 0.5
    backoff_max_seconds: Seconds = 20.0
    retry_after_max_seconds: Annotated[float, Field(ge=0)] = 60.0
    rate_limit_patience_seconds: Annotated[float, Field(ge=0)] = 300.0
    """How long to wait for a CMS that answers 429, regardless of the number of attempts."""
    limits: ByteLimits = ByteLimits()

    @field_validator("base_url")
    @classmethod
    def _plain_http_url(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        try:
            origin_of(value)
        except UrlRefused as refused:
            raise ValueError(f"{refused}; a valid one is https://cms.example.com") from None
        if "?" in value or "#" in value:
            raise ValueError("it must not have a query or fragment")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not host or any(mark in host for mark in "/?#@*"):
                raise ValueError(
                    "it takes names like cdn.example.com or cdn.example.com:8443, "
                    f"not {host[:100]!r}"
                )
            try:
                origin_of(f"https://{host}")
            except UrlRefused as refused:
                raise ValueError(f"{host[:100]!r}: {refused}") from None
        return value

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(network(each) for each in value)

    @field_validator("auth")
    @classmethod
    def _one_way_in(cls, value: Auth | None, info: ValidationInfo) -> Auth | None:
        if value and info.data.get("token"):
            raise ValueError("give a token or auth, not both")
        return value

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value else ""
        if not token.isascii() or any(not char.isprintable() or char == " " for char in token):
            raise ValueError("LIBRARY_CMS_TOKEN must be printable ASCII without spaces")
        return SecretStr(token) if token else None

    @property
    def way_in(self) -> str:
        """The setting with its credentials, for messages."""
        return "LIBRARY_CMS_TOKEN" if self.key == "cms" else f"{self.key}.auth"

    @cached_property
    def origins(self) -> AllowedOrigins:
        """The rule for URLs."""
        return AllowedOrigins(self.base_url, self.allowed_hosts, key=self.key)

    @cached_property
    def addresses(self) -> AllowedAddresses:
        """The rule for IP addresses."""
        hosts = {origin.host for origin in self.origins.origins}
        return AllowedAddresses(hosts, self.allowed_networks, key=self.key)

    @cached_property
    def credentials(self) -> Auth | None:
        """The credentials, from `token` or `auth`."""
        return Auth(secret=self.token) if self.token else self.auth

    def headers_for(self, url: str) -> dict[str, str]:
        """Return the request headers for `url`: with credentials for the CMS's own origin only."""
        # Only gzip can be bounded while it is unpacked.
        headers = {"Accept-Encoding": "gzip"}
        if self.credentials and self.origins.may_have_token(url):
            headers |= self.credentials.headers
        return headers

    def url_for(self, url: str) -> str:
        """Return `url` with the key in its query if it is on the CMS's own origin.

        Use the result in a request only; never log, store or show it.
        """
        auth = self.credentials
        return auth.added_to(url) if auth and self.origins.may_have_token(url) else url

    def redirect_target(self, url: str, location: str) -> str:
        """Return the target of a redirect from `url`, without our key; raises UrlRefused.

        A server that repeats the query in the target would send the key to another host.
        """
        return self.without_key(self.origins.redirect_target(url, location))

    def without_key(self, url: str) -> str:
        """Return a URL of the CMS's own making without our key, which it may repeat there."""
        return self.credentials.removed_from(url) if self.credentials else url


def _decoded(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value)
