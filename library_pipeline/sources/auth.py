"""Credentials for a CMS, and how they go with a request: in a header or in the query."""

from __future__ import annotations

import base64
import re
from typing import Literal, Self
from urllib.parse import quote, unquote_plus

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, a token
# What a request says about itself; replacing these would break it, or its limits.
_NOT_CREDENTIALS = frozenset({
    "host", "connection", "content-length", "transfer-encoding", "te", "expect", "upgrade",
    "accept-encoding", "range", "if-none-match",
})  # fmt: skip


class Auth(BaseModel):
    """Credentials of one kind. Neither `secret` nor `user`, often a key too, is shown."""

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
        """The headers to send; none where the query holds the credentials."""
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
        """Return `url` with the key in its query, if that is where it goes.

        A URL that has a key of that name keeps its own.
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
        """Return `url` without the key, which a server may have put back into where it leads."""
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
        # A final line break is a file's, not the secret's.
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
            raise ValueError(f"auth cannot go into the header {name}, like X-Api-Key it can")
        if not self._secret.isascii():
            raise ValueError("a secret in a header must be printable ASCII")

    def _check_query(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError("query auth needs the key's name, like api_key")


def _decoded(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value)
