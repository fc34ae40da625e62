"""Many pictures: each has its row, what cannot be read is named and costs only itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from structlog.testing import capture_logs

from library_pipeline.encoders import Encoder, ImageError, load_encoder
from library_pipeline.encoders.batches import BATCHES_AHEAD, Skip
from library_pipeline.encoders.image import ImageSource
from library_pipeline_tests.support.pictures import drawn, encoded


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("demo", device="cpu")


def bad_pictures(folder: Path) -> dict[str, ImageSource]:
    """Return what cannot be read, by the code that it should get."""
    good = encoded(drawn((300, 200)))
    (folder / "half.png").write_bytes(good[: len(good) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "page.png").write_text("<!doctype html><title>404</title>")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    film = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    return {
        "image.missing": folder / "nowhere.png",
        "image.unreadable": folder,
        "image.truncated": folder / "half.png",
        "image.empty": str(folder / "empty.png"),
        "image.not_an_image": folder / "page.png",
        "image.too_large": encoded(Image.new("1", (8000, 7000))),
        "image.animated": film,
        "image.unsupported_format": encoded(drawn((9, 9)), "BMP"),
    }


def test_each_bad_picture_is_reported_and_its_neighbours_are_right(
    encoder: Encoder, tmp_path: Path
) -> None:
    good: list[ImageSource] = [drawn((120 + i, 90), seed=i) for i in range(9)]
    bad = bad_pictures(tmp_path)
    sources: list[ImageSource] = []
    for i, picture in enumerate(good):
        sources += [picture, *list(bad.values())[i : i + 1]]
    skipped: list[Skip] = []
    vectors = encoder.embed_batch(sources, 4, on_skip=skipped.append)
    assert vectors.shape == (len(sources), encoder.dim)
    places = [i for i, source in enumerate(sources) if not isinstance(source, Image.Image)]
    assert [item.index for item in skipped] == places
    assert [item.code for item in skipped] == list(bad)
    assert [np.isnan(vectors[i]).all() for i in range(len(sources))] == [
        i in places for i in range(len(sources))
    ]
    alone = np.stack([encoder.embed_image(picture) for picture in good])
    kept = [i for i in range(len(sources)) if i not in places]
    assert (vectors[kept] * alone).sum(axis=1).min() >= 0.9999


def test_alone_a_bad_picture_is_an_exception(encoder: Encoder, tmp_path: Path) -> None:
    for code, source in bad_pictures(tmp_path).items():
        with pytest.raises((ImageError, OSError)) as caught:
            encoder.embed_image(source)
        assert getattr(caught.value, "code", code) == code


def test_by_default_the_log_names_path_and_reason(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<svg></svg>")
    with capture_logs() as logs:
        encoder.embed_batch([tmp_path / "page.png"])
    assert logs[0]["source"] == str(tmp_path / "page.png")
    assert "this is SVG" in logs[0]["reason"]


def test_sources_are_taken_only_a_little_ahead(encoder: Encoder) -> None:
    """Twenty thousand pictures must not be decoded before the first is embedded."""
    taken = 0
    most = 0
    done = 0

    def sources() -> Iterator[Image.Image]:
        nonlocal taken, most
        for i in range(60):
            taken += 1
            most = max(most, taken - done)
            yield drawn((40, 30), seed=i)

    class Counting:
        dim = encoder.dim
        preprocess = staticmethod(encoder.preprocess)

        @staticmethod
        def embed_pixels(pictures: list[np.ndarray]) -> np.ndarray:
            nonlocal done
            done += len(pictures)
            return encoder.embed_pixels(pictures)

    from library_pipeline.encoders.batches import embed_batch, log_skip

    vectors = embed_batch(Counting(), sources(), 4, on_skip=log_skip, progress=False)  # type: ignore[arg-type]
    assert np.isfinite(vectors).all()
    assert most <= 4 * (BATCHES_AHEAD + 1) + 1


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_a_bar_is_shown_only_where_a_person_waits(
    encoder: Encoder, progress: bool | None, shown: bool
) -> None:
    with redirect_stderr(io.StringIO()) as said:
        encoder.embed_batch([drawn((9, 9))] * 3, progress=progress)
    assert ("pictures" in said.getvalue()) is shown


def test_nothing_gives_no_rows_and_no_batch_is_refused(encoder: Encoder) -> None:
    assert encoder.embed_batch([]).shape == (0, encoder.dim)
    with pytest.raises(ValueError, match="batch_size is 0; it must be 1 or more"):
        encoder.embed_batch([drawn((9, 9))], 0)
