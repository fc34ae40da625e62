"""Decoding: every kind of picture a CMS may hold, and every file that only pretends to be one."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from library_pipeline.encoders import ImageError, read_image
from library_pipeline_tests.support.pictures import drawn, encoded

HALVES = Image.new("RGB", (40, 20), "white")
HALVES.paste((200, 30, 60), (20, 0, 40, 20))


def code(data: bytes, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(data, **options)
    assert caught.value.phase == "decode"
    return caught.value.code


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {}),
        ("GIF", {}),
    ],
)
def test_every_format_reads_as_the_same_picture(format_: str, options: dict[str, object]) -> None:
    image = read_image(encoded(HALVES, format_, **options))
    assert (image.mode, image.size) == ("RGB", (40, 20))
    assert np.abs(np.asarray(image, int) - np.asarray(HALVES, int)).mean() < 6


def test_path_bytes_and_picture_are_the_same_source(tmp_path: Path) -> None:
    path = tmp_path / "shot.jfif"  # a JPEG by another name, as browsers on Windows save it
    path.write_bytes(encoded(HALVES, "JPEG"))
    given = [path, str(path), path.read_bytes(), memoryview(path.read_bytes()), Image.open(path)]
    images = [np.asarray(read_image(source)) for source in given]
    assert all(np.array_equal(images[0], image) for image in images)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    source = HALVES.convert("P").convert("PA") if mode == "PA" else HALVES.convert(mode)
    image = read_image(source)
    assert image.mode == "RGB"
    assert image.getpixel((2, 2)) == (255, 255, 255)


def test_cmyk_jpeg_is_not_inverted() -> None:
    image = read_image(encoded(HALVES.convert("CMYK"), "JPEG", quality=95))
    assert min(image.getpixel((2, 2))) > 245


def test_sixteen_bit_gray_is_scaled_not_clipped() -> None:
    """Pillow's own conversion turns everything above 255 of 65,535 white."""
    values = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(8, axis=0)
    image = np.asarray(read_image(encoded(Image.fromarray(values))))
    assert np.abs(image[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_transparency_shows_white() -> None:
    glass = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert read_image(encoded(glass)).getpixel((1, 1)) == (255, 255, 255)
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert read_image(encoded(half)).getpixel((1, 1))[0] in (126, 127, 128)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30] * 256)
    assert read_image(encoded(palette, transparency=0)).getpixel((1, 1)) == (255, 255, 255)
    keyed = encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3))
    assert read_image(keyed).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_refused_and_a_single_frame_read(format_: str) -> None:
    """Which frame is meant, nobody can tell: often the first one is still empty."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(ImageError, match="an animation of 3 frames; export a still pic") as caught:
        read_image(data)
    assert caught.value.code == "image.animated"
    still = encoded(frames[0], format_, save_all=True, lossless=True)
    assert read_image(still).getpixel((4, 4)) == (255, 0, 0)


def test_exif_orientation_is_honoured() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    assert read_image(encoded(HALVES, "JPEG", exif=exif)).size == (20, 40)


def test_a_damaged_exif_block_does_not_lose_the_picture() -> None:
    data = encoded(HALVES, "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff" + b"\xff" * 40)
    assert read_image(data).size == (40, 20)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "image.empty"),
        (b"hello, this is no picture", "image.not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image.not_an_image"),
        (b"<?xml version='1.0'?>\n<svg/>", "image.not_an_image"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404", "image.not_an_image"),
        (b"%PDF-1.7 ...", "image.not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image.not_an_image"),
        (b"\x89PNG\r\n\x1a\n", "image.truncated"),
        (b"\xff\xd8\xff\xe0", "image.truncated"),
        (b"GIF89a", "image.truncated"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image.truncated"),
        (encoded(HALVES, "BMP"), "image.unsupported_format"),
        (encoded(HALVES, "TIFF"), "image.unsupported_format"),
        (encoded(HALVES, "ICO"), "image.unsupported_format"),
        (encoded(HALVES, "JPEG2000"), "image.unsupported_format"),
        (b"\x00\x00\x00\x1cftypavif" + b"\x00" * 30, "image.unsupported_format"),
    ],
)
def test_what_is_not_a_picture_says_so(data: bytes, expected: str) -> None:
    assert code(data) == expected


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_off_file_is_truncated(format_: str, share: float) -> None:
    data = encoded(Image.effect_noise((120, 90), 80).convert("RGB"), format_)
    assert code(data[: int(len(data) * share)]) == "image.truncated"


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF"])
def test_flipped_bytes_raise_nothing_but_image_errors(format_: str) -> None:
    data = encoded(drawn((90, 60)), format_)
    rng = np.random.default_rng(1)
    for _ in range(150):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        try:
            read_image(damaged.tobytes())
        except ImageError as error:
            assert error.code.startswith("image.")


def png_header(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG that claims a size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_header(width: int, height: int) -> bytes:
    """Return an extended WebP that claims a canvas, with no frame in it."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\x00\x00\x00" + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body + b"\x00" * 8


@pytest.mark.parametrize(
    "data",
    [
        png_header(8_000, 8_000),
        png_header(60_000, 60_000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(500_000, 90),
        webp_header(16_383, 16_383),
        encoded(Image.new("L", (9_000, 9_000)), "GIF"),
    ],
    ids=["64 MP", "3,600 MP", "2^62", "long strip", "WebP canvas", "GIF of 81 MP"],
)
def test_a_bomb_is_refused_from_its_header(data: bytes) -> None:
    tracemalloc.start()
    assert code(data) == "image.too_large"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_the_pixel_limit_is_inclusive_and_can_be_set() -> None:
    data = encoded(Image.new("RGB", (50, 20)))
    assert read_image(data, max_pixels=1_000).size == (50, 20)
    assert code(data, max_pixels=999) == "image.too_large"
    with pytest.raises(ImageError, match=r"50 x 20 is 1,000 pixels, the limit is 999; scale the"):
        read_image(data, max_pixels=999)


def test_a_compressed_text_bomb_is_refused() -> None:
    bomb = b"Comment\x00\x00" + zlib.compress(b"\x00" * 80_000_000, 9)
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
    data = encoded(HALVES)
    assert code(data[:33] + chunk + data[33:]).startswith("image.")


def test_messages_name_the_thing_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "hero.png"
    path.write_bytes(b"<!doctype html><title>Log in</title>")
    with pytest.raises(ImageError, match=r"hero\.png: not an image \(this is HTML\).*PNG, JPEG"):
        read_image(path)
    path.write_bytes(encoded(HALVES, "BMP"))
    with pytest.raises(ImageError, match=r"hero\.png: BMP is not supported; save the screenshot"):
        read_image(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nothing.png")


def test_the_result_owns_its_pixels() -> None:
    """A caller may draw on the result without touching the picture it gave."""
    source = HALVES.copy()
    read_image(source).putpixel((0, 0), (1, 2, 3))
    assert source.getpixel((0, 0)) == (255, 255, 255)
