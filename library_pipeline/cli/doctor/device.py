"""What computes: GPUs and CPU as torch sees them, against what the settings ask for."""

from __future__ import annotations

from collections.abc import Iterator

from library_pipeline.cli.doctor.check import Check, one_line
from library_pipeline.cli.doctor.machine import Machine, this_machine
from library_pipeline.settings import EncoderSettings, Settings


def check_devices(settings: Settings | None) -> Iterator[Check]:
    """Yield the CPU, then each device that an encoder asks for, tried out."""
    machine = this_machine()
    encoders = settings.all_encoders if settings else (EncoderSettings(),)
    yield judge_cpu(machine, max((e.threads or 0 for e in encoders), default=0))
    for device, fallback in sorted({(e.device, e.cpu_fallback) for e in encoders}):
        check = judge_device(device, machine, cpu_fallback=fallback)
        yield _tried(check, device) if check.state == "ok" and machine.gpus else check


def judge_cpu(machine: Machine, threads: int) -> Check:
    """Return the CPU's features, and whether threads and cores fit; `threads` is as configured."""
    used = threads or machine.threads
    found = f"{machine.cores} usable cores, torch has {used} threads, {machine.cpu}"
    if used > machine.cores:
        way_out = (
            f"more threads than cores slow each other down; set encoder.threads to {machine.cores}"
        )
        return Check("cpu", "warning", found, way_out)
    return Check("cpu", "ok", found)


def judge_device(device: str, machine: Machine, *, cpu_fallback: bool) -> Check:
    """Return what `device` comes to on this machine."""
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
        return Check(name, "warning", f"{found}; the CPU is used instead", _why(machine))
    return Check(name, "wrong", found, f"{_why(machine)}, or set encoder.cpu_fallback")


def _auto_without_gpu(name: str, machine: Machine) -> Check:
    if machine.mps:
        return Check(name, "ok", "Apple's GPU")
    if machine.driver:
        return Check(name, "warning", "the CPU, though there is an NVIDIA driver", _why(machine))
    if machine.built_for:
        found = f"the CPU: no GPU here (torch {machine.torch} is built for {machine.built_for})"
        hint = "a CPU build of torch saves gigabytes: https://download.pytorch.org/whl/cpu"
        return Check(name, "ok", found, hint)
    return Check(name, "ok", "the CPU: no GPU here")


def _why(machine: Machine) -> str:
    if machine.built_for is None:
        return f"torch {machine.torch} is a CPU build; install one for your GPU from pytorch.org"
    return (
        "see that nvidia-smi lists the GPU, that the driver is new enough, and (in a container) "
        "that it was started with --gpus all"
    )


def _tried(check: Check, device: str) -> Check:
    """Return `check` if the device can add, which a driver that is too old cannot."""
    import torch  # noqa: PLC0415

    try:
        torch.ones(8, device="cuda" if device == "auto" else device).sum().item()
    except RuntimeError as error:
        way_out = "driver and build of torch do not fit, or the GPU is full: see nvidia-smi"
        return Check(check.name, "wrong", f"{check.found}: {one_line(error)}", way_out)
    return check
