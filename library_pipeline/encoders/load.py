"""Getting an encoder: named by a model, loaded once in a process, identified without loading."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from library_pipeline.catalog.encoder import Framing, Precision, Runtime
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
    from library_pipeline.encoders.forward import Forward
    from library_pipeline.encoders.framing import Preparation

_PRECISIONS: Final = {
    "auto": "float32",
    "float32": "float32",
    "bfloat16": "bfloat16",
    "int8": "int8",
}
_loading = threading.Lock()


class EncoderIdentity(NamedTuple):
    """What the index needs to know of an encoder: whether vectors compare, and their length.

    `framing` is what was asked for, or what `auto` means for the model.
    """

    fingerprint: str
    dim: int
    framing: Literal["crop", "pad", "tiles"]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a loaded encoder depends on; the same for all who may share one."""

    model: str
    folder: Path
    framing: Literal["crop", "pad", "tiles"]
    precision: Precision
    fingerprint: str
    name: str
    device: str
    runtime: Runtime
    cpu_fallback: bool
    compiled: bool
    threads: int | None
    cache_dir: Path | None


def load_encoder(
    model: str = DEFAULT_MODEL,
    *,
    name: str = "clip",
    revision: str | None = None,
    framing: Framing = "auto",
    precision: Precision = "auto",
    device: str = "auto",
    cpu_fallback: bool = True,
    runtime: Runtime = "torch",
    compiled: bool = False,
    threads: int | None = None,
    cache_dir: Path | None = None,
) -> Encoder:
    """Return the encoder for `model`, the same object for the same weights, device and name.

    Args:
        model: `demo` (comes with the program), a folder, or a hub name.
        name: what the index calls this encoder.
        revision: a hub branch, tag or commit.
        framing: how pictures are put before the model; see `catalog.encoder`.
        precision: `auto` gives float32's vectors; `bfloat16` and `int8` have vectors of their own.
        device: `auto` (a GPU when there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
        cpu_fallback: go on on the CPU, with a warning, where the device is missing or too small.
        runtime: `onnx` computes on the CPU by ONNX Runtime, which is quicker there; so does int8.
        compiled: have torch compile the model: worth its minute for very many pictures on a GPU.
        threads: torch's threads for the whole process; the default leaves them as they are.
        cache_dir: keeps downloads and file digests; the default is the hub's cache.

    Raises:
        EncoderError: the model cannot be found, fetched, read or run here.

    """
    from library_pipeline.encoders.devices import resolve_device  # noqa: PLC0415 - loads torch

    checkpoint, cut, identity = _identified(model, revision, framing, precision, cache_dir)
    runtime = "onnx" if precision == "int8" else runtime
    if runtime == "onnx":
        _check_onnx(checkpoint, precision)
    with _loading:  # lru_cache alone would let two threads load the same weights twice
        where = resolve_device(device, cpu_fallback=cpu_fallback)
        _set_threads(threads)
        return _load(
            _Wanted(
                model=model,
                folder=checkpoint.folder,
                framing=cut,
                precision=precision,
                fingerprint=identity,
                name=name,
                device="cpu" if runtime == "onnx" else where,
                runtime=runtime,
                cpu_fallback=cpu_fallback,
                compiled=compiled,
                threads=threads,
                cache_dir=cache_dir,
            )
        )


def encoder_identity(
    model: str = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    framing: Framing = "auto",
    precision: Precision = "auto",
    cache_dir: Path | None = None,
) -> EncoderIdentity:
    """Return what `model`'s vectors are without importing torch; raises `EncoderError`."""
    checkpoint, cut, identity = _identified(model, revision, framing, precision, cache_dir)
    return EncoderIdentity(identity, checkpoint.dim, cut)


def _identified(
    model: str,
    revision: str | None,
    framing: Framing,
    precision: Precision,
    cache_dir: Path | None,
) -> tuple[Checkpoint, Literal["crop", "pad", "tiles"], str]:
    """Return the checkpoint, what its framing is and the fingerprint of both with `precision`.

    What cannot be used is refused here, before anything is indexed under it.
    """
    from library_pipeline.encoders.framing import resolved  # noqa: PLC0415 - loads numpy
    from library_pipeline.encoders.preparation import read_preparation  # noqa: PLC0415

    checkpoint = find_checkpoint(model, revision=revision, cache_dir=cache_dir)
    cut = resolved(framing, read_preparation(checkpoint))
    identity = fingerprint(
        checkpoint, framing=cut, precision=_PRECISIONS[precision], cache_dir=cache_dir
    )
    return checkpoint, cut, identity


def _check_onnx(checkpoint: Checkpoint, precision: Precision) -> None:
    """Raise EncoderError `encoder.no_onnx` where ONNX Runtime cannot do it."""
    way_out = "use `runtime: torch` and `precision: auto`"
    if checkpoint.family.naflex:
        problem = f"model {checkpoint.model!r} takes pictures of many sizes, ONNX Runtime one"
    elif precision == "bfloat16":
        problem = "ONNX Runtime computes in float32 or int8, not in bfloat16"
    elif missing := [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]:
        problem = f"{' and '.join(missing)} is not installed"
        way_out = f"pip install 'library-pipeline[onnx]', or {way_out}"
    else:
        return
    raise EncoderError("encoder.no_onnx", f"{problem}; {way_out}")


@lru_cache(maxsize=4)
def _load(wanted: _Wanted) -> Encoder:
    from library_pipeline.encoders.framing import Framer  # noqa: PLC0415 - loads torch, as do these
    from library_pipeline.encoders.model_encoder import ModelEncoder  # noqa: PLC0415
    from library_pipeline.encoders.preparation import read_preparation  # noqa: PLC0415

    checkpoint = read_checkpoint(wanted.model, wanted.folder)
    preparation = read_preparation(checkpoint)
    forward = _forward(wanted, checkpoint, preparation)
    return ModelEncoder(
        checkpoint,
        Framer(preparation, wanted.framing),
        forward,
        name=wanted.name,
        fingerprint=wanted.fingerprint,
        device=wanted.device,
    )


def _forward(wanted: _Wanted, checkpoint: Checkpoint, preparation: Preparation) -> Forward:
    if wanted.runtime == "onnx":
        from library_pipeline.encoders.onnx_forward import OnnxForward  # noqa: PLC0415

        return OnnxForward(
            checkpoint,
            "int8" if wanted.precision == "int8" else "float32",
            threads=wanted.threads,
            cache_dir=wanted.cache_dir,
        )
    from library_pipeline.encoders.forward import torch_forward  # noqa: PLC0415

    return torch_forward(
        checkpoint,
        preparation,
        wanted.device,
        wanted.precision,
        cpu_fallback=wanted.cpu_fallback,
        compiled=wanted.compiled,
    )


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise EncoderError("encoder.bad_threads", f"threads is {threads}; it must be 1 or more")
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
