"""What a simulated component is made of: its files' bytes and attributes, from its number."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping

from library_pipeline.catalog.component import FileKind

CLIENTS = (
    *("Acme", "Borealis", "Cobalt", "Dune", "Ember"),
    *("Fjord", "Granite", "Harbor", "Indigo", "Juniper"),
)
CATEGORIES = (
    *("Accordions", "Banners", "Breadcrumbs", "Cards", "Carousels", "Charts", "Dialogs"),
    *("Features", "Footers", "Forms", "Galleries", "Headers", "Heroes", "Logos", "Menus"),
    *("Pricing", "Quotes", "Steps", "Tables", "Teams"),
)
_TAGS = ("autumn", "compact", "dark", "light", "spring", "summer", "wide", "winter")
_ID = "sim-"


def component_id(number: int) -> str:
    """Return the id of the component with this number, as `sim-000042`."""
    return f"{_ID}{number:06d}"


def number_of(id_: str) -> int | None:
    """Return the number of a component's id, None where no component is called so."""
    digits = id_.removeprefix(_ID)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        return None
    number = int(digits)
    return number if component_id(number) == id_ else None


def client(number: int) -> str:
    """Return one of the ten clients."""
    return CLIENTS[number % 10]


def category(number: int) -> str:
    """Return one of the twenty categories; each client has components of each."""
    return CATEGORIES[number // 10 % 20]


def tags(number: int) -> tuple[str, str]:
    """Return two different tags."""
    first = number // 7 % 8
    return _TAGS[first], _TAGS[(first + 1 + number % 3) % 8]


def file_bytes(kind: FileKind, number: int, version: int) -> bytes:
    """Return a file's bytes, which differ for each number and version."""
    return _FILES[kind](number, version)


def config(number: int, version: int) -> bytes:
    """Return a small JSON object."""
    return b'{"component":%d,"columns":%d,"version":%d}' % (number, number % 4 + 1, version)


def html(number: int, version: int) -> bytes:
    """Return a small HTML fragment, the component's format."""
    return b'<section data-version="%d"><h2>Simulated %d</h2></section>' % (version, number)


def records(number: int, version: int) -> bytes:
    """Return a small JSON list."""
    return b'[{"title":"Record of %d","version":%d}]' % (number, version)


def picture(number: int, version: int) -> bytes:
    """Return a PNG of 16 x 16 pixels: 4 x 4 squares whose 16 colours depend on both arguments.

    The colours are the palette (https://www.w3.org/TR/png-3/#11PLTE); all pictures share the
    pixels, so that making one costs one hash and one checksum.
    """
    palette = b"PLTE" + hashlib.blake2b(b"%d/%d" % (number, version), digest_size=48).digest()
    return _HEAD + palette + zlib.crc32(palette).to_bytes(4, "big") + _PIXELS


def _chunk(type_: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(type_ + data)
    return struct.pack(">I", len(data)) + type_ + data + struct.pack(">I", checksum)


def _squares() -> bytes:
    """Return 16 rows of 4-bit palette indexes, each row behind its filter byte (none)."""
    rows = [bytes((4 * band + square) * 0x11 for square in range(4)) for band in range(4)]
    return b"".join(b"\0" + bytes(b for b in rows[y // 4] for _ in range(2)) for y in range(16))


_PALETTE_LENGTH = struct.pack(">I", 48)
_HEAD = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 4, 3, 0, 0, 0))
    + _PALETTE_LENGTH
)
_PIXELS = _chunk(b"IDAT", zlib.compress(_squares(), 9)) + _chunk(b"IEND", b"")
_FILES: Mapping[FileKind, Callable[[int, int], bytes]] = {
    "config": config,
    "format": html,
    "records": records,
    "screenshot": picture,
}
