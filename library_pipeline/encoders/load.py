"""Loading: the encoder of a model, once in a process, and its identity without torch."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from library_pipeline.catalog.encoder import EncoderSpec, Framing, Precision, Runtime
from library_pipeline.encoders.checkpoint import (
    DEFAULT_MODEL,
    Checkpoint,
    find_checkpoint,
    read_checkpoint,
)
from library_pipeline.encoders.encoder import EncoderError, FixedFraming
from library_pipeline.encoders.fingerprint import fingerprint

if TYPE_CHECKING:
    from library_pipeline.encoders.encoder import Encoder
    from library_pipeline.encoders.forward import Forward
    from library_pipeline.encoders.preparation import Preparation
    from library_pipeline.settings import EncoderSettings

_loading = threading.Lock()


class EncoderIdentity(NamedTuple):
    """The facts of an encoder that the index holds: whether vectors compare, and their length.

    `framing` is the chosen framing, or the one that `auto` means for the model.
    """

    fingerprint: str
    dim: int
    framing: FixedFraming


@dataclass(frozen=True, slots=True)
class _Recipe:
    """The key of a loaded encoder: equal recipes share one."""

    model: str
    folder: Path
    framing: FixedFraming
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
    """Return the encoder of `model`: one object for equal weights, device and name.

    Args:
        model: `demo` (comes with the program), a folder, or a hub name.
        name: the name of this encoder in the index.
        revision: a hub branch, tag or commit.
        framing: how the model sees a picture; see `catalog.encoder`.
        precision: `auto` gives the vectors of float32; `bfloat16` and `int8` give other vectors.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
        cpu_fallback: continue on the CPU, with a warning, if the device is missing or too small.
        runtime: `onnx` computes on the CPU by ONNX Runtime, which is faster there; so does int8.
        compiled: torch compiles the model, in a minute; for very many pictures on a GPU.
        threads: torch's threads in the whole process; the default does not change them.
        cache_dir: the folder for downloads and file digests; the default is the hub's cache.

    Raises:
        EncoderError: the model cannot be found, fetched, read or run here.

    """
    from library_pipeline.encoders.devices import resolve_device  # noqa: PLC0415 - loads torch

    checkpoint, fixed, digits = _identify(model, revision, framing, precision, cache_dir)
    runtime = "onnx" if precision == "int8" else runtime
    if runtime == "onnx":
        _check_onnx(checkpoint, precision)
    with _loading:  # with lru_cache alone, two threads load the same weights twice
        actual = resolve_device(device, cpu_fallback=cpu_fallback)
        _set_threads(threads)
        return _load_recipe(
            _Recipe(
                model=model,
                folder=checkpoint.folder,
                framing=fixed,
                precision=precision,
                fingerprint=digits,
                name=name,
                device="cpu" if runtime == "onnx" else actual,
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
    """Return the identity of `model` without importing torch; raises EncoderError."""
    checkpoint, fixed, digits = _identify(model, revision, framing, precision, cache_dir)
    return EncoderIdentity(digits, checkpoint.dim, fixed)


def identify(spec: EncoderSpec) -> EncoderIdentity:
    """Return the identity of `spec` now; imports no torch, raises EncoderError."""
    return encoder_identity(
        spec.model, revision=spec.revision, framing=spec.framing, precision=spec.precision
    )


def load_configured(spec: EncoderSpec, settings: EncoderSettings) -> Encoder:
    """Return the encoder of `spec`, on the device that `settings` name; raises EncoderError."""
    return load_encoder(
        spec.model,
        name=spec.name,
        revision=spec.revision,
        framing=spec.framing,
        precision=spec.precision,
        device=settings.device,
        cpu_fallback=settings.cpu_fallback,
        runtime=settings.runtime,
        threads=settings.threads,
    )


def _identify(
    model: str,
    revision: str | None,
    framing: Framing,
    precision: Precision,
    cache_dir: Path | None,
) -> tuple[Checkpoint, FixedFraming, str]:
    """Return the checkpoint, its framing and the fingerprint of both with `precision`.

    Raises EncoderError for a model that cannot be used, before a component is indexed with it.
    """
    from library_pipeline.encoders.preparation import resolve_framing  # noqa: PLC0415 - numpy
    from library_pipeline.encoders.preprocessor_config import read_preparation  # noqa: PLC0415

    checkpoint = find_checkpoint(model, revision=revision, cache_dir=cache_dir)
    fixed = resolve_framing(framing, read_preparation(checkpoint))
    computed = "float32" if precision == "auto" else precision
    digits = fingerprint(checkpoint, framing=fixed, precision=computed, cache_dir=cache_dir)
    return checkpoint, fixed, digits


def _check_onnx(checkpoint: Checkpoint, precision: Precision) -> None:
    """Raise EncoderError `encoder.no_onnx` if ONNX Runtime cannot run the model."""
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
def _load_recipe(recipe: _Recipe) -> Encoder:
    from library_pipeline.encoders.model_encoder import ModelEncoder  # noqa: PLC0415 - loads torch
    from library_pipeline.encoders.preparation import Framer  # noqa: PLC0415
    from library_pipeline.encoders.preprocessor_config import read_preparation  # noqa: PLC0415

    checkpoint = read_checkpoint(recipe.model, recipe.folder)
    preparation = read_preparation(checkpoint)
    forward = _load_forward(recipe, checkpoint, preparation)
    return ModelEncoder(
        checkpoint,
        Framer(preparation, recipe.framing),
        forward,
        name=recipe.name,
        fingerprint=recipe.fingerprint,
        device=recipe.device,
    )


def _load_forward(recipe: _Recipe, checkpoint: Checkpoint, preparation: Preparation) -> Forward:
    if recipe.runtime == "onnx":
        from library_pipeline.encoders.onnx import OnnxForward  # noqa: PLC0415

        return OnnxForward(
            checkpoint,
            "int8" if recipe.precision == "int8" else "float32",
            threads=recipe.threads,
            cache_dir=recipe.cache_dir,
        )
    from library_pipeline.encoders.forward import torch_forward  # noqa: PLC0415

    return torch_forward(
        checkpoint,
        preparation,
        recipe.device,
        recipe.precision,
        cpu_fallback=recipe.cpu_fallback,
        compiled=recipe.compiled,
    )


def _set_threads(threads: int | None) -> None:
    if threads is None:
        return
    if threads < 1:
        raise EncoderError("encoder.bad_threads", f"threads is {threads}; it must be 1 or more")
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
