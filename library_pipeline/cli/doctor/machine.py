"""What there is to compute with, as torch and the system tell it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.cli.doctor.check import gigabytes

# What makes the difference between a fast and a slow CPU: vector width, 8-bit and 16-bit products.
_FEATURES = ("avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "bf16", "i8mm")
_NVIDIA = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Machine:
    """What torch found here."""

    torch: str
    cpu: str
    cores: int
    threads: int
    gpus: tuple[str, ...] = ()
    mps: bool = False
    built_for: str | None = None
    """The GPU toolkit that torch was built for, None for a CPU build."""
    driver: bool = False
    """Whether the machine has an NVIDIA driver, whatever torch sees."""


def this_machine() -> Machine:
    """Ask torch."""
    import torch  # noqa: PLC0415 - takes seconds

    gpus = ()
    if torch.cuda.is_available():
        all_of_them = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        gpus = tuple(f"{gpu.name}, {gigabytes(gpu.total_memory)}" for gpu in all_of_them)
    toolkit = torch.version.cuda and f"CUDA {torch.version.cuda}"
    return Machine(
        torch=str(torch.__version__),
        cpu=f"{torch.backends.cpu.get_cpu_capability()}{_features()}",
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        gpus=gpus,
        mps=torch.mps.is_available(),
        built_for=toolkit or (torch.version.hip and f"ROCm {torch.version.hip}"),
        driver=_NVIDIA.exists(),
    )


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use at once: fewer than there are, in a container."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = map(int, cgroup.read_text().split())
    except (OSError, ValueError):  # no cgroup, or no limit: "max 100000"
        return cores
    return max(1, min(cores, round(quota / period)))


def _features(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        text = cpuinfo.read_text()
    except OSError:
        return ""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(line[1].split()) if line else set()
    there = [feature for feature in _FEATURES if feature in flags]
    return f" ({', '.join(there)})" if there else ""
