"""Where a model runs: what `auto` means here, and what happens where a device is missing."""

from __future__ import annotations

import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog

from library_pipeline.encoders.errors import EncoderError

# Read once, when torch is loaded, unless somebody has decided already. Threads that wait for the
# next matrix by spinning take the cores from those that decode: measured, a fifth of all CPU time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

_KNOWN: Final = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_NVIDIA: Final = Path("/proc/driver/nvidia/version")
_log = structlog.get_logger()


def check_device(device: str) -> None:
    """Raise EncoderError `encoder.bad_device` for what is no device's name."""
    if not _KNOWN.fullmatch(device):
        problem = f"device {device!r} is not auto, cpu, cuda, cuda:<n> or mps"
        raise EncoderError("encoder.bad_device", problem)


@lru_cache(maxsize=16)  # so that what is missing is said once
def resolve_device(device: str, *, cpu_fallback: bool) -> str:
    """Return the torch device for `device`: `auto` is a GPU when there is one, else the CPU.

    A device that is not there gives the CPU and one warning, or, without `cpu_fallback`, raises
    EncoderError `encoder.bad_device`.
    """
    check_device(device)
    if device == "auto":
        return _best()
    missing = _missing(device)
    if missing is None:
        return device
    if not cpu_fallback:
        problem = f"device {device!r} is not available on this machine ({missing})"
        raise EncoderError("encoder.bad_device", f"{problem}; use `auto` or `cpu`")
    _log.warning("device_missing", asked=device, used="cpu", reason=missing)
    return "cpu"


def _best() -> str:
    if _missing("cuda") is None:
        return "cuda"
    if _missing("mps") is None:
        return "mps"
    if _NVIDIA.exists():
        _log.warning("gpu_unused", used="cpu", reason=_missing("cuda"))
    return "cpu"


def _missing(device: str) -> str | None:
    """Return why `device` cannot be used, None if it can."""
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return None
    if kind == "mps":
        return None if torch.backends.mps.is_available() else "torch finds no Apple GPU"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    with warnings.catch_warnings(record=True) as said:  # torch explains a bad driver in a warning
        warnings.simplefilter("always")
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found == 0:
        return str(said[0].message).splitlines()[0] if said else "torch finds no NVIDIA GPU"
    if number and int(number) >= found:
        return f"there are {found} GPUs, numbered from 0"
    return None
