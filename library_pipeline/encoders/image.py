"""Pictures: decodes untrusted screenshots to RGB, names their faults, makes thumbnails."""

from __future__ import annotations

import io
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from library_pipeline.encoders.encoder import ImageError

ImageSource = bytes | bytearray | memoryview | str | os.PathLike[str] | Image.Image

DEFAULT_MAX_PIXELS: Final = 50_000_000
# A resize kernel's memory grows with the side, not with the area: bounds 50,000,000 x 1 strips.
MAX_SIDE: Final = 65_535
# No other decoder sees the bytes: each of Pillow's other forty is an attack surface.
DECODERS: Final = ("PNG", "JPEG", "WEBP", "GIF")
READABLE: Final = "PNG, JPEG, WebP or GIF"

# Measured on the sample library: 1 KB on average, 2.6 at most, 1.4 ms; headings stay legible.
_THUMBNAIL_QUALITY: Final = 80
_THUMBNAIL_METHOD: Final = 2

# The first bytes of formats that are not supported; a message names the format.
_UNSUPPORTED: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
)
_MARKUP: Final = ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"))


def read_image(source: ImageSource, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Return `source` as an upright RGB image, alpha composited on white.

    Raises:
        ImageError: `image.empty`, `image.not_an_image`, `image.unsupported_format`,
            `image.too_large` (from the header, before any pixel is decoded), `image.truncated`,
            `image.animated` (it does not say which frame to take).
        OSError: the path cannot be read.

    """
    if isinstance(source, Image.Image):
        image, name = source, "the given picture"
        _check_size(image.size, max_pixels, name)
    elif isinstance(source, str | os.PathLike):
        name = str(source)
        image = _open(Path(source).read_bytes(), name, max_pixels)
    else:
        name = f"the given {len(source):,} bytes"
        image = _open(bytes(source), name, max_pixels)
    return _rgb(_upright(_decode(image, name)))


def thumbnail(image: Image.Image, max_width: int = 160, max_height: int = 120) -> bytes:
    """Return `image` as WebP bytes, no larger than the box in pixels; never enlarges it."""
    scale = min(max_width / image.width, max_height / image.height, 1.0)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image
    if size != image.size:
        # reducing_gap averages whole blocks first: four times faster on a full-page screenshot.
        small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_THUMBNAIL_QUALITY, method=_THUMBNAIL_METHOD)
    return buffer.getvalue()


def _open(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """Return the image with its header read and nothing decoded."""
    if not data:
        raise ImageError("image.empty", f"{name}: 0 bytes; export the screenshot again")
    if (size := _webp_size(data)) is not None:
        _check_size(size, max_pixels, name)  # Pillow's WebP decoder allocates while it opens
    try:
        image = Image.open(io.BytesIO(data), formats=DECODERS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, str(error)) from error
    except UnidentifiedImageError as error:
        raise _unidentified(data, name) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        raise _truncated(name, error) from error
    _check_size(image.size, max_pixels, name)
    _check_still(image, name)
    return image


def _check_still(image: Image.Image, name: str) -> None:
    # A camera's JPEG may hold a second, small picture; only these formats hold animations.
    if image.format in ("GIF", "WEBP", "PNG") and getattr(image, "is_animated", False):
        frames = getattr(image, "n_frames", 2)
        message = f"{name}: an animation of {frames} frames; export a still picture"
        raise ImageError("image.animated", message)


def _decode(image: Image.Image, name: str) -> Image.Image:
    """Decode the pixels; a decoder fails only on a truncated or damaged file."""
    try:
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        raise _truncated(name, error) from error
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; ignore a damaged EXIF block."""
    with suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """Return an RGB copy: 16 bits scaled to 8 (Pillow clips them), transparency on white."""
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    try:
        return image.copy() if image.mode == "RGB" else image.convert("RGB")
    except ValueError as error:
        message = f"colour mode {image.mode!r} is not supported; save it as RGB"
        raise ImageError("image.unsupported_format", message) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    gray = image.point(lambda value: value * (1 / 257)).convert("L")
    gray.info.pop("transparency", None)  # a 16-bit colour key means nothing in 8 bits
    return gray


def _check_size(size: tuple[int, int], max_pixels: int, name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        message = f"{name}: the picture is {width} x {height} pixels; export the screenshot again"
        raise ImageError("image.not_an_image", message)
    if width * height > max_pixels:
        raise _too_large(
            name,
            f"{width:,} x {height:,} is {width * height:,} pixels, the limit is {max_pixels:,}",
        )
    if max(width, height) > MAX_SIDE:
        raise _too_large(name, f"{width:,} x {height:,}: a side is longer than {MAX_SIDE:,} pixels")


def _too_large(name: str, reason: str) -> ImageError:
    return ImageError(
        "image.too_large", f"{name}: {reason}; scale the screenshot down or raise the pixel limit"
    )


def _truncated(name: str, error: BaseException) -> ImageError:
    message = f"{name}: the picture is incomplete or damaged ({error}); fetch or export it again"
    return ImageError("image.truncated", message)


def _unidentified(data: bytes, name: str) -> ImageError:
    """Return the error that names the kind of file, as far as its first bytes show it."""
    for offset, magic, kind in _UNSUPPORTED:
        if data[offset:].startswith(magic):
            message = f"{name}: {kind} is not supported; save the screenshot as {READABLE}"
            return ImageError("image.unsupported_format", message)
    if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")):
        return _truncated(name, ValueError("its header cannot be read"))
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kind = next((kind for tag, kind in _MARKUP if tag in head), None)
    found = f"this is {kind}" if kind else f"it begins with {data[:12]!r}"
    message = f"{name}: not an image ({found}); a screenshot must be {READABLE}"
    return ImageError("image.not_an_image", message)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the canvas (width, height) of a WebP header, None for any other file (RFC 9649)."""
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        return (
            int.from_bytes(data[24:27], "little") + 1,
            int.from_bytes(data[27:30], "little") + 1,
        )
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF
