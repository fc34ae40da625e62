"""What the doctor says of GPUs, CPUs and packages; machines that this one is not are described."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from library_pipeline.cli.doctor.models import (
    Machine,
    check_devices,
    judge_cpu,
    judge_device,
    usable_cores,
)
from library_pipeline.cli.doctor.system import check_packages, judge_packages, judge_python
from library_pipeline.settings import EncoderSettings, Settings

PLAIN = Machine(torch="2.13.0+cpu", cpu="AVX2", cores=4, threads=4)
CUDA_BUILD = replace(PLAIN, torch="2.13.0+cu126", built_for="CUDA 12.6")
GPU = replace(CUDA_BUILD, gpus=("NVIDIA H100, 85.0 GB",), driver=True)
MAC = replace(PLAIN, mps=True)


@pytest.mark.parametrize(
    ("device", "machine", "fallback", "state", "words"),
    [
        ("auto", PLAIN, True, "ok", "the CPU: no GPU here"),
        ("auto", GPU, True, "ok", "NVIDIA H100, 85.0 GB, CUDA 12.6"),
        ("auto", MAC, True, "ok", "Apple's GPU"),
        ("auto", CUDA_BUILD, True, "ok", "is built for CUDA 12.6"),
        ("auto", replace(PLAIN, driver=True), True, "warning", "though there is an NVIDIA driver"),
        ("cpu", GPU, True, "ok", "the CPU"),
        ("cuda", GPU, False, "ok", "NVIDIA H100"),
        ("cuda:0", GPU, False, "ok", "NVIDIA H100"),
        ("cuda:1", GPU, True, "warning", "sees 1 CUDA devices; the CPU is used instead"),
        ("cuda:1", GPU, False, "wrong", "sees 1 CUDA devices"),
        ("cuda", PLAIN, True, "warning", "the CPU is used instead"),
        ("mps", MAC, False, "ok", "Apple's GPU"),
        ("mps", PLAIN, False, "wrong", "not there"),
        ("cuda", MAC, False, "wrong", "and Apple's GPU as mps"),
    ],
)
def test_a_device_comes_to_what_the_machine_has(
    device: str, machine: Machine, fallback: bool, state: str, words: str
) -> None:
    check = judge_device(device, machine, cpu_fallback=fallback)
    assert check.state == state
    assert words in check.found
    assert check.state == "ok" or check.way_out


def test_a_cpu_build_beside_a_gpu_says_what_to_install() -> None:
    check = judge_device("auto", replace(PLAIN, driver=True), cpu_fallback=True)
    assert check.way_out == (
        "torch 2.13.0+cpu is a CPU build; install one for your GPU from pytorch.org"
    )


def test_more_threads_than_cores_are_worth_a_warning() -> None:
    """As in a container that may use two of a machine's 64 cores: torch sees 64."""
    assert judge_cpu(replace(PLAIN, cores=2, threads=64), 0).state == "warning"
    assert judge_cpu(replace(PLAIN, cores=2, threads=64), 2).state == "ok"
    assert judge_cpu(PLAIN, 9).way_out == (
        "more threads than cores slow each other down; set encoder.threads to 4"
    )


@pytest.mark.parametrize(("text", "cores"), [("50000 100000", 1), ("max 100000", None), ("", None)])
def test_a_containers_share_of_the_cores_counts(
    tmp_path: Path, text: str, cores: int | None
) -> None:
    unlimited = usable_cores(tmp_path / "none")
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path / "cpu.max") == (cores or unlimited)


def test_each_device_of_several_encoders_is_looked_at() -> None:
    encoders = (
        EncoderSettings(name="a", device="cpu"),
        EncoderSettings(name="b", device="cpu"),
        EncoderSettings(name="c", device="cuda:7", cpu_fallback=False),
    )
    found = {
        check.name: check for check in check_devices(Settings.model_construct(encoders=encoders))
    }
    assert list(found) == ["cpu", "device cpu", "device cuda:7"]
    assert found["device cuda:7"].state == "wrong"


def test_the_packages_are_named_with_their_versions() -> None:
    python, packages = check_packages()
    assert (python.state, packages.state) == ("ok", "ok")
    assert "torch 2." in packages.found
    assert "dagster 1." in packages.found


def test_an_untested_python_or_torch_is_said() -> None:
    assert judge_python((3, 10)).state == "wrong"
    assert judge_python((3, 14)).state == "wrong"
    check = judge_packages({"torch": "2.14.0"})
    assert check.state == "warning"
    assert "torch>=2.11,<2.14" in (check.way_out or "")
