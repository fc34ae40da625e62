"""Access: keys, sessions, and the rules that each request must pass."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from library_pipeline.settings import SettingsError, WebSettings, read_secret
from library_pipeline.web.hosts import Hosts, is_origin_of
from library_pipeline.web.problems import Problem

COOKIE: Final = "library_session"
SESSION_SECONDS: Final = 12 * 60 * 60
MIN_KEY_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class _Key:
    digest: bytes
    signing: bytes  # derived one way, so it does not reveal the key

    def signature(self, expires: str) -> str:
        return hmac.new(self.signing, expires.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """The accepted keys. Comparison takes constant time, so timing reveals no key."""

    _known: tuple[_Key, ...] = field(repr=False)

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Keys:
        """Return `keys` as digests; the keys themselves are not kept."""
        purpose = b"library-pipeline: sessions"
        return cls(tuple(_Key(_digest(key), hmac.digest(key, purpose, "sha256")) for key in keys))

    def accept(self, given: bytes) -> bool:
        """Whether `given` is one of the keys."""
        return self._match(given) is not None

    def session(self, given: bytes, now: float) -> str | None:
        """Return a session token, valid for `SESSION_SECONDS`, or None if `given` is no key."""
        key = self._match(given)
        expires = str(int(now) + SESSION_SECONDS)
        return f"{expires}.{key.signature(expires)}" if key else None

    def holds(self, session: str, now: float) -> bool:
        """Whether one of the keys signed the token `session` and it has not expired."""
        expires, _, signature = session.partition(".")
        signed = [
            hmac.compare_digest(
                key.signature(expires).encode(), signature.encode("utf-8", "replace")
            )
            for key in self._known
        ]
        return any(signed) and expires.isdecimal() and now < int(expires)

    def _match(self, given: bytes) -> _Key | None:
        digest = _digest(given)
        found = [key for key in self._known if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None


def read_keys(settings: WebSettings) -> Keys | None:
    """Return the configured keys, or None if none are configured. Raises SettingsError.

    The secret holds one key per line; blank lines and lines that begin with `#` are ignored.
    """
    if settings.api_keys is None:
        return None
    text = read_secret(settings.api_keys).get_secret_value()
    where = settings.api_keys.secret_env or settings.api_keys.secret_file
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if len(key) < MIN_KEY_LENGTH:
            raise SettingsError(
                f"web.api_keys: line {number} of {where} has {len(key)} characters; a key has at "
                f"least {MIN_KEY_LENGTH}, such as `openssl rand -hex 32` makes"
            )
        keys.append(key.encode())
    if not keys:
        raise SettingsError(f"web.api_keys: {where} holds no key; write one key per line")
    return Keys.of(keys)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


PUBLIC: Final = "library.public"  # set in the scope of a request that passed without a key
_OPEN: Final = frozenset({"/healthz", "/readyz", "/sign-in", "/sign-out"})
_OPEN_BELOW: Final = ("/static/", "/api/webhooks/")  # a webhook proves itself by its own secret
_PROGRAMS: Final = ("/api/", "/metrics")
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_STRANGE_HOST: Final = Problem(
    421,
    "This is not the service of that name",
    "it answers under the address it listens on; to reach it by another name, add that name to "
    "web.allowed_hosts or to LIBRARY_WEB_ALLOWED_HOSTS",
)
_FOREIGN_PAGE: Final = Problem(
    403,
    "This request comes from another site's page",
    "only pages of this service and of the origins in web.cors_origins may change anything here",
)
_NO_KEY: Final = Problem(
    401,
    "A key is needed",
    "send one of web.api_keys as the header `Authorization: Bearer KEY` or `X-API-Key: KEY`",
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Which requests are allowed. None for `hosts` allows every host, None for `keys` everyone."""

    hosts: Hosts | None
    origins: frozenset[str]
    keys: Keys | None


class Access:
    """Middleware that refuses requests against the rules and passes on all others."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with the reason for the refusal."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse_with(refusal, scope, headers)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        hosts = self._rules.hosts
        if hosts is not None and not all(host in hosts for host in headers.getlist("host")):
            _log.warning("web.strange_host", host=headers.get("host", "")[:200])
            return _STRANGE_HOST
        path: str = scope["path"]
        changes = scope["type"] == "websocket" or scope["method"] not in _READING
        if changes and not path.startswith("/api/webhooks/") and self._is_foreign(headers):
            return _FOREIGN_PAGE
        if self._rules.keys is None or _proven(self._rules.keys, headers):
            return None
        if path in _OPEN or path.startswith(_OPEN_BELOW):
            scope[PUBLIC] = True
            return None
        return _NO_KEY

    def _is_foreign(self, headers: Headers) -> bool:
        """Whether a browser's headers say that a page of another site sent the request.

        Browsers send Sec-Fetch-Site to https:// and loopback addresses only, and `Origin` always;
        programs send neither. https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is not None and origin in self._rules.origins:
            return False
        if site is not None:
            return site not in ("same-origin", "none")
        return origin is not None and not is_origin_of(origin, headers.get("host", ""))


class ApiCors:
    """Middleware that lets pages of the allowed origins call the API, by CORS."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=sorted(origins),
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "X-API-Key", "Content-Type"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        api = scope["type"] == "http" and scope["path"].startswith("/api/")
        await (self._shared if api else self._app)(scope, receive, send)


def given_key(headers: Mapping[str, str]) -> bytes | None:
    """Return the key in a request's headers, or None."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
    return key.encode("latin-1", errors="replace") if key else None


def _proven(keys: Keys, headers: Headers) -> bool:
    key = given_key(headers)
    if key is not None:
        return keys.accept(key)
    session = _cookie(headers.get("cookie", ""))
    return session is not None and keys.holds(session, time.time())


def _cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _refuse_with(problem: Problem, scope: Scope, headers: Headers) -> Response:
    """Return JSON for programs; for people a text, or a redirect to the sign-in page on 401."""
    path: str = scope["path"]
    text = f"{problem.title}: {problem.reason}"
    if path.startswith(_PROGRAMS):
        proof = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
        return JSONResponse({"error": text}, problem.status, headers=proof)
    if problem.status != 401:
        return PlainTextResponse(text + "\n", problem.status)
    query = scope["query_string"].decode("latin-1")
    wanted = quote(path) + (f"?{query}" if query else "")
    sign_in = "/sign-in?next=" + quote(wanted if scope["method"] == "GET" else "/", safe="")
    if headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": sign_in})
    return RedirectResponse(sign_in, 303)
