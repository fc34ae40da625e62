"""Checks of the CPU, the GPUs and the models of the encoders."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from library_pipeline.cli.doctor.examination import Check, gigabytes, one_line
from library_pipeline.encoders import EncoderError
from library_pipeline.encoders.checkpoint import DEMO, PINNED_REVISIONS, bad_name, read_checkpoint
from library_pipeline.encoders.load import identify, load_configured
from library_pipeline.settings import EncoderSettings, Settings

# These features make a CPU fast: wide vectors, 8-bit and 16-bit products.
_FEATURES = ("avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "bf16", "i8mm")
_NVIDIA = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware that torch can use."""

    torch: str
    cpu: str
    cores: int
    threads: int
    gpus: tuple[str, ...] = ()
    mps: bool = False
    built_for: str | None = None
    """The GPU toolkit that torch was built for, None for a CPU build."""
    driver: bool = False
    """Whether the machine has an NVIDIA driver, even if torch sees no GPU."""


def this_machine() -> Machine:
    """Return the hardware that torch and the system report."""
    import torch  # noqa: PLC0415 - takes seconds

    gpus = ()
    if torch.cuda.is_available():
        devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        gpus = tuple(f"{gpu.name}, {gigabytes(gpu.total_memory)}" for gpu in devices)
    toolkit = torch.version.cuda and f"CUDA {torch.version.cuda}"
    return Machine(
        torch=str(torch.__version__),
        cpu=f"{torch.backends.cpu.get_cpu_capability()}{_cpu_features()}",
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        gpus=gpus,
        mps=torch.mps.is_available(),
        built_for=toolkit or (torch.version.hip and f"ROCm {torch.version.hip}"),
        driver=_NVIDIA.exists(),
    )


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use at once; a container may limit them."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = map(int, cgroup.read_text().split())
    except (OSError, ValueError):  # no cgroup, or no limit: "max 100000"
        return cores
    return max(1, min(cores, round(quota / period)))


def _cpu_features() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(line[1].split()) if line else set()
    there = [feature for feature in _FEATURES if feature in flags]
    return f" ({', '.join(there)})" if there else ""


def check_devices(settings: Settings | None) -> Iterator[Check]:
    """Yield the CPU, then each device that an encoder asks for; tries each one out."""
    machine = this_machine()
    encoders = settings.all_encoders if settings else (EncoderSettings(),)
    yield judge_cpu(machine, max((e.threads or 0 for e in encoders), default=0))
    for device, fallback in sorted({(e.device, e.cpu_fallback) for e in encoders}):
        check = judge_device(device, machine, cpu_fallback=fallback)
        yield _tried(check, device) if check.state == "ok" and machine.gpus else check


def judge_cpu(machine: Machine, threads: int) -> Check:
    """Return the features of the CPU, with a warning if there are more threads than cores.

    With 0 `threads` torch decides.
    """
    used = threads or machine.threads
    found = f"{machine.cores} usable cores, torch has {used} threads, {machine.cpu}"
    if used > machine.cores:
        way_out = (
            f"more threads than cores slow each other down; set encoder.threads to {machine.cores}"
        )
        return Check("cpu", "warning", found, way_out)
    return Check("cpu", "ok", found)


def judge_device(device: str, machine: Machine, *, cpu_fallback: bool) -> Check:
    """Return which hardware the setting `device` selects on this machine, or why none."""
    name = f"device {device}"
    if device == "auto" and not machine.gpus:
        return _auto_without_gpu(name, machine)
    kind, _, number = device.replace("auto", "cuda").partition(":")
    index = int(number or 0)
    there = {"cpu": True, "mps": machine.mps, "cuda": index < len(machine.gpus)}[kind]
    if there:
        what = {"cpu": "the CPU", "mps": "Apple's GPU"}.get(kind)
        return Check(name, "ok", what or f"{machine.gpus[index]}, {machine.built_for}")
    has = f"{len(machine.gpus)} CUDA devices" + (", and Apple's GPU as mps" if machine.mps else "")
    found = f"not there: torch {machine.torch} sees {has}"
    if cpu_fallback:
        return Check(name, "warning", f"{found}; the CPU is used instead", _gpu_way_out(machine))
    return Check(name, "wrong", found, f"{_gpu_way_out(machine)}, or set encoder.cpu_fallback")


def _auto_without_gpu(name: str, machine: Machine) -> Check:
    if machine.mps:
        return Check(name, "ok", "Apple's GPU")
    if machine.driver:
        return Check(
            name, "warning", "the CPU, though there is an NVIDIA driver", _gpu_way_out(machine)
        )
    if machine.built_for:
        found = f"the CPU: no GPU here (torch {machine.torch} is built for {machine.built_for})"
        hint = "a CPU build of torch saves gigabytes: https://download.pytorch.org/whl/cpu"
        return Check(name, "ok", found, hint)
    return Check(name, "ok", "the CPU: no GPU here")


def _gpu_way_out(machine: Machine) -> str:
    if machine.built_for is None:
        return f"torch {machine.torch} is a CPU build; install one for your GPU from pytorch.org"
    return (
        "check that nvidia-smi lists the GPU, that the driver is new enough, and that a container "
        "was started with --gpus all"
    )


def _tried(check: Check, device: str) -> Check:
    """Return `check` if the device can add two numbers: with too old a driver it cannot."""
    import torch  # noqa: PLC0415

    try:
        torch.ones(8, device="cuda" if device == "auto" else device).sum().item()
    except RuntimeError as error:
        way_out = "the driver does not fit this build of torch, or the GPU is full: see nvidia-smi"
        return Check(check.name, "wrong", f"{check.found}: {one_line(error)}", way_out)
    return check


def check_encoders(settings: Settings, *, deep: bool) -> Iterator[Check]:
    """Yield the state of each encoder's model; if `deep`, also load it and embed a picture."""
    for encoder in settings.all_encoders:
        yield _judge_model(encoder)
        if encoder.precision == "int8" or encoder.runtime == "onnx":
            yield _judge_onnx(encoder)
        if deep:
            yield _try_encoder(encoder)


def _judge_model(encoder: EncoderSettings) -> Check:
    """Return whether the files of the model are here and safe to load; never downloads."""
    name = f"encoder {encoder.name}"
    try:
        if encoder.model == DEMO or Path(encoder.model).expanduser().is_dir():
            return _judge_identity(name, encoder, encoder.model, encoder.revision)
        folder = _cached_snapshot(encoder)
        if folder is None:
            return _judge_missing_model(name, encoder)
        read_checkpoint(encoder.model, folder)
        return _judge_identity(name, encoder, str(folder), None)
    except EncoderError as error:
        return Check(name, "wrong", error.message, "choose another encoder.model or revision")


def _judge_identity(name: str, encoder: EncoderSettings, where: str, revision: str | None) -> Check:
    identity = identify(replace(encoder.spec, model=where, revision=revision))
    found = f"{encoder.model}: {identity.dim} dimensions, fingerprint {identity.fingerprint}"
    if encoder.model == DEMO:
        hint = "for trying things out; openai/clip-vit-base-patch32 is the real thing"
        return Check(name, "ok", f"{found}, comes with the program", hint)
    folder = Path(where).expanduser().resolve()
    weights = sum(path.stat().st_size for path in folder.glob("model*.safetensors"))
    return Check(name, "ok", f"{found}, {gigabytes(weights)} of safetensors in {folder}")


def _cached_snapshot(encoder: EncoderSettings) -> Path | None:
    """Return the folder of a hub model in the cache, or None; uses no network."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    revision = encoder.revision or PINNED_REVISIONS.get(encoder.model)
    try:
        found = try_to_load_from_cache(encoder.model, "config.json", revision=revision)
    except HFValidationError:
        raise bad_name(encoder.model) from None
    return Path(found).parent if isinstance(found, str) else None


def _judge_missing_model(name: str, encoder: EncoderSettings) -> Check:
    from huggingface_hub import constants  # noqa: PLC0415

    found = f"{encoder.model} is not in the cache {constants.HF_HUB_CACHE}"
    revision = encoder.revision or PINNED_REVISIONS.get(encoder.model)
    fetch = f"`hf download {encoder.model}" + (f" --revision {revision}`" if revision else "`")
    if constants.is_offline_mode():
        way_out = f"fetch it where there is a network with {fetch}, or set `model: demo`"
        return Check(name, "wrong", f"{found}, and HF_HUB_OFFLINE is set", way_out)
    way_out = f"nothing to do if there is a network; else {fetch} elsewhere, or set `model: demo`"
    return Check(name, "warning", f"{found}; the first refresh downloads it", way_out)


def _judge_onnx(encoder: EncoderSettings) -> Check:
    name = f"encoder {encoder.name}"
    wanted = f"precision {encoder.precision}, runtime {encoder.runtime}"
    missing = [each for each in ("onnx", "onnxruntime") if importlib.util.find_spec(each) is None]
    if missing:
        found = f"{wanted} needs {' and '.join(missing)}, not installed"
        way_out = "pip install 'library-pipeline[onnx]', or set precision to auto, runtime to torch"
        return Check(name, "wrong", found, way_out)
    return Check(name, "ok", f"{wanted}: ONNX Runtime is installed")


def _try_encoder(encoder: EncoderSettings) -> Check:
    from PIL import Image  # noqa: PLC0415

    name = f"encoder {encoder.name}"
    picture = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(picture, "PNG")
    try:
        loaded = load_configured(encoder.spec, encoder)
        started = time.perf_counter()
        vector = loaded.embed_image(picture.getvalue())
    except EncoderError as error:
        return Check(
            name, "wrong", error.message, "docs/configuration.md lists the possible models"
        )
    milliseconds = 1000 * (time.perf_counter() - started)
    norm = float((vector**2).sum() ** 0.5)
    found = f"loaded; embedded a picture in {milliseconds:.0f} ms, norm {norm:.4f}"
    if abs(norm - 1) > 0.001:
        return Check(name, "wrong", found, "a vector must have norm 1; try `device: cpu`")
    return Check(name, "ok", found)
