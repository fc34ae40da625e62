"""Devices: which one `auto` means on this machine, and which one replaces a missing one."""

from __future__ import annotations

import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog

from library_pipeline.encoders.encoder import EncoderError

# torch reads this once, at its import. Threads that spin while they wait for the next matrix take
# the cores from the threads that decode: measured, a fifth of all CPU time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

_KNOWN: Final = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_NVIDIA: Final = Path("/proc/driver/nvidia/version")
_log = structlog.get_logger()


def check_device(device: str) -> None:
    """Raise EncoderError `encoder.bad_device` if `device` is not the name of a device."""
    if not _KNOWN.fullmatch(device):
        problem = f"device {device!r} is not auto, cpu, cuda, cuda:<n> or mps"
        raise EncoderError("encoder.bad_device", problem)


@lru_cache(maxsize=16)  # a missing device is logged once
def resolve_device(device: str, *, cpu_fallback: bool) -> str:
    """Return the torch device for `device`: `auto` is a GPU if there is one, else the CPU.

    A missing device is replaced by the CPU, with one warning. Without `cpu_fallback` it raises
    EncoderError `encoder.bad_device`.
    """
    check_device(device)
    if device == "auto":
        return _best_device()
    missing = _why_missing(device)
    if missing is None:
        return device
    if not cpu_fallback:
        problem = f"device {device!r} is not available on this machine ({missing})"
        raise EncoderError("encoder.bad_device", f"{problem}; use `auto` or `cpu`")
    _log.warning("device_missing", asked=device, used="cpu", reason=missing)
    return "cpu"


def _best_device() -> str:
    if _why_missing("cuda") is None:
        return "cuda"
    if _why_missing("mps") is None:
        return "mps"
    if _NVIDIA.exists():
        _log.warning("gpu_unused", used="cpu", reason=_why_missing("cuda"))
    return "cpu"


def _why_missing(device: str) -> str | None:
    """Return why `device` cannot be used, None if it can."""
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return None
    if kind == "mps":
        return None if torch.backends.mps.is_available() else "torch finds no Apple GPU"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    with warnings.catch_warnings(record=True) as said:  # torch reports a bad driver by a warning
        warnings.simplefilter("always")
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found == 0:
        return str(said[0].message).splitlines()[0] if said else "torch finds no NVIDIA GPU"
    if number and int(number) >= found:
        return f"there are {found} GPUs, numbered from 0"
    return None
