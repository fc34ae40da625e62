"""The forward pass through ONNX Runtime on a CPU: float32 a fifth faster than torch's, or int8.

A model is exported once, by a process of its own, whose memory goes with it (`onnx_export`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnxruntime

from library_pipeline.encoders.checkpoint import Checkpoint
from library_pipeline.encoders.errors import EncoderError
from library_pipeline.encoders.fingerprint import fingerprint

# Views a pass: more gain nothing once the caches are full, and cost memory.
MOST_VIEWS: Final = 16
# Part of an exported file's name: raise it when `onnx_export` writes something else.
EXPORT_VERSION: Final = 1
Exported = Literal["float32", "int8"]
_exporting = threading.Lock()


class OnnxForward:
    """A `Forward` over uint8 views; normalization is part of the exported graph."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        precision: Exported,
        *,
        threads: int | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        """Export the model unless that has been done, and open it; raises EncoderError."""
        path = exported(checkpoint, precision, cache_dir)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or os.cpu_count() or 1
        # Threads that wait by spinning would take the cores away from those that decode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Return raw float32 vectors (N, dim) of N >= 1 views, each uint8 (3, H, W)."""
        parts = [views[i : i + MOST_VIEWS] for i in range(0, len(views), MOST_VIEWS)]
        found = [self._session.run(["vectors"], {"pixels": np.stack(part)})[0] for part in parts]
        return np.concatenate([np.asarray(part, np.float32) for part in found])


def exported(checkpoint: Checkpoint, precision: Exported, cache_dir: Path | None) -> Path:
    """Return the exported file of `checkpoint`, made if it is not in the cache yet.

    Raises:
        EncoderError: `encoder.no_export`, with what the exporter said.

    """
    identity = fingerprint(checkpoint, precision=precision, cache_dir=cache_dir)
    folder = (cache_dir or _default_cache()) / "library-pipeline-onnx"
    path = folder / f"{identity}-{EXPORT_VERSION}.onnx"
    with _exporting:
        if not path.is_file():
            _export(checkpoint, precision, path)
    return path


def _export(checkpoint: Checkpoint, precision: Exported, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    program = ("-m", "library_pipeline.encoders.onnx_export")
    words = (checkpoint.model, str(checkpoint.folder), precision, str(partial))
    try:
        ran = subprocess.run(  # noqa: S603
            [sys.executable, *program, *words], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            said = ran.stderr.strip().splitlines()[-1:] or [f"exit status {ran.returncode}"]
            raise EncoderError(
                "encoder.no_export",
                f"model {checkpoint.model!r} cannot be exported to ONNX ({said[0]}); use "
                "`runtime: torch`, and another precision than int8",
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
