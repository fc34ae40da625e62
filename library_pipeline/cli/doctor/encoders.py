"""The models: are their files here, are they safe to load, and (deep) do they work?"""

from __future__ import annotations

import importlib.util
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from library_pipeline.cli.doctor.check import Check, gigabytes
from library_pipeline.encoders import EncoderError
from library_pipeline.encoders.checkpoint import DEMO, PINNED_REVISIONS, bad_name, read_checkpoint
from library_pipeline.encoders.configured import identify, load
from library_pipeline.settings import EncoderSettings, Settings


def check_encoders(settings: Settings, *, deep: bool) -> Iterator[Check]:
    """Yield each encoder's model and, if `deep`, load it and embed a picture."""
    for encoder in settings.all_encoders:
        yield _model(encoder)
        if encoder.precision == "int8" or encoder.runtime == "onnx":
            yield _onnx(encoder)
        if deep:
            yield _embeds(encoder)


def _model(encoder: EncoderSettings) -> Check:
    """Return what is here of the model; never downloads."""
    name = f"encoder {encoder.name}"
    try:
        if encoder.model == DEMO or Path(encoder.model).expanduser().is_dir():
            return _identified(name, encoder, encoder.model, encoder.revision)
        folder = _cached(encoder)
        if folder is None:
            return _not_here(name, encoder)
        read_checkpoint(encoder.model, folder)
        return _identified(name, encoder, str(folder), None)
    except EncoderError as error:
        return Check(name, "wrong", error.message, "choose another encoder.model or revision")


def _identified(name: str, encoder: EncoderSettings, where: str, revision: str | None) -> Check:
    identity = identify(replace(encoder.spec, model=where, revision=revision))
    found = f"{encoder.model}: {identity.dim} dimensions, fingerprint {identity.fingerprint}"
    if encoder.model == DEMO:
        hint = "for trying things out; openai/clip-vit-base-patch32 is the real thing"
        return Check(name, "ok", f"{found}, comes with the program", hint)
    folder = Path(where).expanduser().resolve()
    weights = sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
    return Check(name, "ok", f"{found}, {gigabytes(weights)} of safetensors in {folder}")


def _cached(encoder: EncoderSettings) -> Path | None:
    """Return the snapshot of a hub model that is in the cache, asking no network."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    revision = encoder.revision or PINNED_REVISIONS.get(encoder.model)
    try:
        found = try_to_load_from_cache(encoder.model, "config.json", revision=revision)
    except HFValidationError:
        raise bad_name(encoder.model) from None
    return Path(found).parent if isinstance(found, str) else None


def _not_here(name: str, encoder: EncoderSettings) -> Check:
    from huggingface_hub import constants  # noqa: PLC0415

    found = f"{encoder.model} is not in the cache {constants.HF_HUB_CACHE}"
    revision = encoder.revision or PINNED_REVISIONS.get(encoder.model)
    fetch = f"`hf download {encoder.model}" + (f" --revision {revision}`" if revision else "`")
    if constants.is_offline_mode():
        way_out = f"fetch it where there is a network with {fetch}, or set `model: demo`"
        return Check(name, "wrong", f"{found}, and HF_HUB_OFFLINE is set", way_out)
    way_out = f"nothing to do with a network; without one: {fetch} elsewhere, or `model: demo`"
    return Check(name, "warning", f"{found}; the first refresh downloads it", way_out)


def _onnx(encoder: EncoderSettings) -> Check:
    name = f"encoder {encoder.name}"
    wanted = f"precision {encoder.precision}, runtime {encoder.runtime}"
    missing = [each for each in ("onnx", "onnxruntime") if importlib.util.find_spec(each) is None]
    if missing:
        found = f"{wanted} needs {' and '.join(missing)}, not installed"
        way_out = "pip install 'library-pipeline[onnx]', or set precision to auto, runtime to torch"
        return Check(name, "wrong", found, way_out)
    return Check(name, "ok", f"{wanted}: ONNX Runtime is installed")


def _embeds(encoder: EncoderSettings) -> Check:
    from PIL import Image  # noqa: PLC0415

    name = f"encoder {encoder.name}"
    picture = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(picture, "PNG")
    try:
        loaded = load(encoder.spec, encoder)
        started = time.perf_counter()
        vector = loaded.embed_image(picture.getvalue())
    except EncoderError as error:
        return Check(name, "wrong", error.message, "docs/configuration.md says what models may be")
    milliseconds = 1000 * (time.perf_counter() - started)
    norm = float((vector**2).sum() ** 0.5)
    found = f"loaded; embedded a picture in {milliseconds:.0f} ms, norm {norm:.4f}"
    if abs(norm - 1) > 0.001:
        return Check(name, "wrong", found, "a vector must have norm 1; try `device: cpu`")
    return Check(name, "ok", found)
