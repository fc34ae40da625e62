"""The forward pass of torch: uint8 views in, raw vectors out, in batches that fit the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

import numpy as np
import structlog
import torch

from library_pipeline.catalog.encoder import Precision
from library_pipeline.encoders.checkpoint import Checkpoint
from library_pipeline.encoders.encoder import EncoderError
from library_pipeline.encoders.preparation import NaflexPreprocessing, Preparation
from library_pipeline.encoders.towers import ImageTower, NaflexTower, normalization

# Views in one pass. With more, a CPU's caches and a GPU's multiprocessors are full, and 16 views
# of a ViT-B/32 take 100 MB.
MAX_VIEWS_CPU: Final = 16
MAX_VIEWS_GPU: Final = 256
_log = structlog.get_logger()


class Forward(Protocol):
    """Turns views into vectors: torch or ONNX Runtime."""

    def __call__(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Return raw float32 vectors (N, dim) of N >= 1 views, each uint8 (3, H, W)."""
        ...


class TorchForward:
    """A tower on a device. It takes smaller batches, or the CPU, if the memory is too small.

    A size that did not fit is not tried again: `limit` only falls. If a float16 pass overflows, it
    and all later passes run in float32.
    """

    def __init__(
        self,
        load: Callable[[], ImageTower],
        preparation: Preparation,
        device: str,
        dtype: torch.dtype,
        *,
        cpu_fallback: bool,
        compiled: bool = False,
    ) -> None:
        self._load = load
        self._preparation = preparation
        self._cpu_fallback = cpu_fallback
        self._compiled = compiled
        self.limit = MAX_VIEWS_CPU if device == "cpu" else MAX_VIEWS_GPU
        self._settle(device, dtype)

    @torch.inference_mode()
    def __call__(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 (N, dim); raises EncoderError `encoder.out_of_memory`."""
        vectors: list[np.ndarray] = []
        done = 0
        while done < len(views):
            part = views[done : done + self.limit]
            raw = self._try(part)
            if raw is None:
                self._make_room(len(part))
            elif self.dtype == torch.float16 and not np.isfinite(raw).all():
                _log.warning("float16_overflows", device=str(self.device), used="float32")
                self._settle(str(self.device), torch.float32)
            else:
                vectors.append(raw)
                done += len(part)
        return np.concatenate(vectors)

    def _settle(self, device: str, dtype: torch.dtype) -> None:
        """Load the tower onto `device`, from the files: a float16 tower has lost digits."""
        self.device, self.dtype = torch.device(device), dtype
        tower = self._load().to(device=self.device, dtype=dtype)
        self._naflex = isinstance(tower, NaflexTower)
        scale, shift = normalization(self._preparation)
        self._scale, self._shift = scale.to(self.device), shift.to(self.device)
        mode = "max-autotune" if self.device.type == "cuda" else "default"
        self._tower = cast(
            ImageTower, torch.compile(tower, mode=mode, dynamic=False) if self._compiled else tower
        )

    def _try(self, views: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return the vectors, None if the device has too little memory."""
        try:
            if self._naflex:
                pixels = [self._normalized(torch.from_numpy(view)) for view in views]
                return self._tower(cast(torch.Tensor, pixels)).float().cpu().numpy()
            return self._tower(self._batch(views)).float().cpu().numpy()[: len(views)]
        except torch.OutOfMemoryError:
            return None  # handled by the caller: here the traceback keeps the tensors alive

    def _batch(self, views: Sequence[np.ndarray]) -> torch.Tensor:
        """Return the normalized batch; for compiled code, filled up to its one size."""
        count = self.limit if self._compiled else len(views)
        pixels = torch.empty(
            (count, *views[0].shape), dtype=torch.uint8, pin_memory=self.device.type == "cuda"
        )
        np.stack(views, out=pixels.numpy()[: len(views)])
        pixels[len(views) :] = 0
        return self._normalized(pixels)

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        there = pixels.to(self.device, non_blocking=True).float()
        return (there * self._scale - self._shift).to(self.dtype)

    def _make_room(self, tried: int) -> None:
        """Halve the limit; if a single view does not fit, continue on the CPU or raise."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if tried > 1:
            self.limit = tried // 2
            _log.warning("out_of_memory", device=str(self.device), views_a_pass=self.limit)
        elif self._cpu_fallback and self.device.type != "cpu":
            _log.warning("out_of_memory", device=str(self.device), used="cpu")
            self.limit = MAX_VIEWS_CPU
            self._settle("cpu", torch.float32)
        else:
            raise EncoderError(
                "encoder.out_of_memory",
                f"device {str(self.device)!r} has too little memory for a single picture; free "
                "some, set `device: cpu`, or choose a smaller model",
                transient=True,
            )


def torch_forward(
    checkpoint: Checkpoint,
    preparation: Preparation,
    device: str,
    precision: Precision,
    *,
    cpu_fallback: bool,
    compiled: bool = False,
) -> TorchForward:
    """Return the forward pass of `checkpoint` in `precision` on `device`; raises EncoderError.

    `auto` computes in float16 on a GPU. Cosines to float32 stay above 0.9999 (docs/encoders.md),
    so both have one fingerprint.
    """

    def load() -> ImageTower:
        if isinstance(preparation, NaflexPreprocessing):
            patch, limit = preparation.patch, preparation.max_patches
            return NaflexTower(checkpoint, patch=patch, max_patches=limit)
        return ImageTower(checkpoint)

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    if precision == "auto" and device.startswith("cuda"):
        dtype = torch.float16
    return TorchForward(
        load, preparation, device, dtype, cpu_fallback=cpu_fallback, compiled=compiled
    )
