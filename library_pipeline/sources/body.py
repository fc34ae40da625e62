"""An answer's body, gathered piece by piece and never beyond its limit, even unpacked."""

from __future__ import annotations

import zlib


class TooLarge(Exception):
    """The body is longer than its limit."""


class Undecodable(Exception):
    """The body is packed in a way that was not asked for, or is broken."""


class LimitedBody:
    """Gathers a body of at most `limit` bytes (unpacked); `received` counts those on the wire."""

    def __init__(self, limit: int, content_encoding: str = "") -> None:
        encoding = content_encoding.strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise Undecodable(f"Content-Encoding {encoding[:40]!r} was not asked for")
        self._limit = limit
        self._gunzip = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
        self._pieces: list[bytes] = []
        self._size = 0
        self.received = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece; raises TooLarge or Undecodable."""
        self.received += len(piece)
        if self._gunzip:
            try:
                # One byte more than allowed is enough to know; a bomb never unfolds further.
                piece = self._gunzip.decompress(piece, self._limit - self._size + 1)
            except zlib.error as error:
                raise Undecodable(f"the gzip stream is broken ({error})") from None
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLarge
        self._pieces.append(piece)

    def bytes(self) -> bytes:
        """Return the whole body; raises Undecodable when the packed stream has no end."""
        if self._gunzip and self.received and not self._gunzip.eof:
            raise Undecodable("the gzip stream ends before its end")
        return b"".join(self._pieces)
