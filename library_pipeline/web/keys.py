"""API keys, and the sessions of people who signed in with one.

A session is its expiry, signed with a key: nothing of it is kept here, and it ends with its key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from library_pipeline.settings import SettingsError, WebSettings, read_secret

COOKIE: Final = "library_session"
SESSION_SECONDS: Final = 12 * 60 * 60
LEAST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class _Key:
    digest: bytes
    signing: bytes  # from which the key itself cannot be told

    def signature(self, expires: str) -> str:
        return hmac.new(self.signing, expires.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that are accepted; how long a wrong one takes says nothing about the right ones."""

    _known: tuple[_Key, ...] = field(repr=False)

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Keys:
        """Return `keys` without keeping them."""
        purpose = b"library-pipeline: sessions"
        return cls(tuple(_Key(_digest(key), hmac.digest(key, purpose, "sha256")) for key in keys))

    def accept(self, given: bytes) -> bool:
        """Whether `given` is a key."""
        return self._match(given) is not None

    def session(self, given: bytes, now: float) -> str | None:
        """Return what proves for `SESSION_SECONDS` that `given` was a key, None if it is none."""
        key = self._match(given)
        expires = str(int(now) + SESSION_SECONDS)
        return f"{expires}.{key.signature(expires)}" if key else None

    def holds(self, session: str, now: float) -> bool:
        """Whether a session was made with one of the keys and is not over."""
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
    """Return the configured keys, None where there are to be none. Raises SettingsError.

    One a line; blank lines, and those that begin with `#`, are no keys.
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
        if len(key) < LEAST_LENGTH:
            raise SettingsError(
                f"web.api_keys: line {number} of {where} has {len(key)} characters; a key has at "
                f"least {LEAST_LENGTH}, such as `openssl rand -hex 32` makes"
            )
        keys.append(key.encode())
    if not keys:
        raise SettingsError(f"web.api_keys: {where} holds no key; write one a line")
    return Keys.of(keys)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
