"""Getting an encoder: named by a model, loaded once in a process, identified without loading."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from library_pipeline.encoders.checkpoint import (
    DEFAULT_MODEL,
    Checkpoint,
    find_checkpoint,
    read_checkpoint,
)
from library_pipeline.encoders.errors import EncoderError
from library_pipeline.encoders.fingerprint import fingerprint

if TYPE_CHECKING:
    from library_pipeline.encoders.encoder import Encoder

FAMILIES: Final = ("clip",)
_DEVICE: Final = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_loading = threading.Lock()


def load_encoder(
    model: str = DEFAULT_MODEL,
    *,
    name: str = "clip",
    device: str = "auto",
    revision: str | None = None,
    cache_dir: Path | None = None,
    threads: int | None = None,
) -> Encoder:
    """Return the encoder for `model`, the same object for the same weights, device and name.

    Args:
        model: `demo` (comes with the program), a folder, or a hub name.
        name: what the index calls this encoder.
        device: `auto` (a GPU when there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
        revision: a hub branch, tag or commit.
        cache_dir: keeps downloads and file digests; the default is the hub's cache.
        threads: torch's threads for the whole process; the default leaves them as they are.

    Raises:
        EncoderError: the model cannot be found, fetched, read or run here.

    """
    if not _DEVICE.fullmatch(device):
        problem = f"device {device!r} is not auto, cpu, cuda, cuda:<n> or mps"
        raise EncoderError("encoder.bad_device", problem)
    checkpoint = _checked(find_checkpoint(model, revision=revision, cache_dir=cache_dir))
    identity = fingerprint(checkpoint, cache_dir=cache_dir)
    _set_threads(threads)
    with _loading:  # lru_cache alone would let two threads load the same weights twice
        return _load(model, checkpoint.folder, identity, name, _resolve_device(device))


def encoder_identity(
    model: str = DEFAULT_MODEL, *, revision: str | None = None, cache_dir: Path | None = None
) -> tuple[str, int]:
    """Return (fingerprint, dim) of `model` without importing torch; raises `EncoderError`."""
    checkpoint = _checked(find_checkpoint(model, revision=revision, cache_dir=cache_dir))
    return fingerprint(checkpoint, cache_dir=cache_dir), checkpoint.dim


@lru_cache(maxsize=4)
def _load(model: str, folder: Path, identity: str, name: str, device: str) -> Encoder:
    from library_pipeline.encoders.clip import ClipEncoder  # noqa: PLC0415

    checkpoint = read_checkpoint(model, folder)
    return ClipEncoder(checkpoint, name=name, fingerprint=identity, device=device)


def _checked(checkpoint: Checkpoint) -> Checkpoint:
    """Refuse families without code and odd preprocessing before anything is indexed under them."""
    family = checkpoint.config.get("model_type")
    if family not in FAMILIES:
        raise EncoderError(
            "encoder.unsupported_family",
            f"model {checkpoint.model!r} is of type {family!r}; supported: {', '.join(FAMILIES)}",
        )
    from library_pipeline.encoders.preprocessing import (  # noqa: PLC0415 - loads numpy
        parse_preprocessing,
    )

    parse_preprocessing(checkpoint.preprocessor, checkpoint.model)
    return checkpoint


def _resolve_device(device: str) -> str:
    import torch  # noqa: PLC0415

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if not available[kind]:
        problem = f"device {device!r} is not available on this machine; use `auto` or `cpu`"
        raise EncoderError("encoder.bad_device", problem)
    return device


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise EncoderError("encoder.bad_threads", f"threads is {threads}; it must be 1 or more")
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
