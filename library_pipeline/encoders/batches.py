"""Batches: many pictures, decoded ahead in threads, embedded in order by one encoder."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from tqdm.auto import tqdm

from library_pipeline.encoders.encoder import ImageError
from library_pipeline.encoders.image import ImageSource, read_image

if TYPE_CHECKING:
    from library_pipeline.encoders.encoder import Encoder

BATCHES_AHEAD: Final = 2
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Skip:
    """A picture without a vector: its index among the sources, its name, a code and a reason."""

    index: int
    source: str
    code: str
    reason: str


def log_skip(skip: Skip) -> None:
    """Log one line for a skipped picture."""
    _log.warning(
        "picture_skipped",
        index=skip.index,
        source=skip.source,
        code=skip.code,
        reason=skip.reason,
    )


def embed_batch(
    encoder: Encoder,
    sources: Iterable[ImageSource],
    batch_size: int,
    *,
    on_skip: Callable[[Skip], None],
    progress: bool | None,
) -> np.ndarray:
    """Return float32 (N, dim) of N sources; the rows of skipped pictures are NaN.

    Raises ValueError for a `batch_size` below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
    total = len(sources) if hasattr(sources, "__len__") else None  # type: ignore[arg-type]
    rows: list[np.ndarray] = []
    shown = sys.stderr.isatty() if progress is None else progress
    with tqdm(total=total, unit=" pictures", disable=not shown) as bar:
        decoded = _decode_ahead(encoder, sources, batch_size * BATCHES_AHEAD)
        while batch := list(islice(decoded, batch_size)):
            vectors = np.full((len(batch), encoder.dim), np.nan, np.float32)
            good = [row for row, item in enumerate(batch) if not isinstance(item, Skip)]
            pictures = [item for item in batch if not isinstance(item, Skip)]
            if pictures:
                vectors[good] = encoder.embed_pixels(pictures)
            for item in batch:
                if isinstance(item, Skip):
                    on_skip(item)
            rows.append(vectors)
            bar.update(len(batch))
    return np.concatenate(rows) if rows else np.empty((0, encoder.dim), np.float32)


def _decode_ahead(
    encoder: Encoder, sources: Iterable[ImageSource], ahead: int
) -> Iterator[np.ndarray | Skip]:
    """Yield the views of each source in order; decodes at most `ahead` pictures in advance."""
    waiting: deque[Future[np.ndarray | Skip]] = deque()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="decode") as pool:
        try:
            for index, source in enumerate(sources):
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(_views, encoder, index, source))
            while waiting:
                yield waiting.popleft().result()
        finally:  # the caller has stopped: do not decode the rest
            pool.shutdown(wait=False, cancel_futures=True)


def _views(encoder: Encoder, index: int, source: ImageSource) -> np.ndarray | Skip:
    try:
        return encoder.preprocess(read_image(source))
    except ImageError as error:
        return Skip(index, _name(index, source), error.code, error.message)
    except FileNotFoundError:
        return Skip(index, _name(index, source), "image.missing", "there is no such file")
    except OSError as error:
        reason = f"it cannot be read: {error.strerror or error}"
        return Skip(index, _name(index, source), "image.unreadable", reason)


def _name(index: int, source: ImageSource) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"picture {index}"
