"""The forward pass: uint8 views in, raw vectors out, in batches that the device can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

import numpy as np
import structlog
import torch

from library_pipeline.catalog.encoder import Precision
from library_pipeline.encoders.checkpoint import Checkpoint
from library_pipeline.encoders.errors import EncoderError
from library_pipeline.encoders.framing import Preparation
from library_pipeline.encoders.naflex import NaflexPreprocessing
from library_pipeline.encoders.networks import ImageTower, NaflexTower, normalization

# Views a pass. More gain nothing: a CPU's caches and a GPU's multiprocessors are full by then,
# and 16 more views of a ViT-B/32 take 100 MB.
MOST_ON_CPU: Final = 16
MOST_ON_GPU: Final = 256
_log = structlog.get_logger()


class Forward(Protocol):
    """What an encoder has its views embedded by."""

    def __call__(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Return raw float32 vectors (N, dim) of N >= 1 views, each uint8 (3, H, W)."""
        ...


class TorchForward:
    """A tower on a device; gets by with less memory, or another device, where it has to.

    What did not fit once is not tried again: `limit` only falls. A float16 pass that overflows
    is done again in float32, and so are all after it.
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
        self.limit = MOST_ON_CPU if device == "cpu" else MOST_ON_GPU
        self._settle(device, dtype)

    @torch.inference_mode()
    def __call__(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 (N, dim); raises EncoderError `encoder.out_of_memory`."""
        vectors: list[np.ndarray] = []
        done = 0
        while done < len(views):
            part = views[done : done + self.limit]
            found = self._try(part)
            if found is None:
                self._make_room(len(part))
            elif self.dtype == torch.float16 and not np.isfinite(found).all():
                _log.warning("float16_overflows", device=str(self.device), used="float32")
                self._settle(str(self.device), torch.float32)
            else:
                vectors.append(found)
                done += len(part)
        return np.concatenate(vectors)

    def _settle(self, device: str, dtype: torch.dtype) -> None:
        """Load the tower onto `device`; from the weights, which a narrower type would have cut."""
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
        """Return the vectors, None if the device's memory does not suffice."""
        try:
            if self._naflex:
                pixels = [self._normalized(torch.from_numpy(view)) for view in views]
                return self._tower(cast(torch.Tensor, pixels)).float().cpu().numpy()
            return self._tower(self._batch(views)).float().cpu().numpy()[: len(views)]
        except torch.OutOfMemoryError:
            return None  # to be dealt with outside: the traceback keeps the tensors alive

    def _batch(self, views: Sequence[np.ndarray]) -> torch.Tensor:
        """Return the normalized batch; compiled code takes one size only, so it is filled up."""
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
        """Halve the limit; if a single view is too much, go on on the CPU or raise."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if tried > 1:
            self.limit = tried // 2
            _log.warning("out_of_memory", device=str(self.device), views_a_pass=self.limit)
        elif self._cpu_fallback and self.device.type != "cpu":
            _log.warning("out_of_memory", device=str(self.device), used="cpu")
            self.limit = MOST_ON_CPU
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

    `auto` computes in float16 on a GPU: cosines to float32 stay above 0.9999 (docs/encoders.md),
    so it has float32's fingerprint.
    """

    def load() -> ImageTower:
        if isinstance(preparation, NaflexPreprocessing):
            patch, most = preparation.patch, preparation.max_patches
            return NaflexTower(checkpoint, patch=patch, max_patches=most)
        return ImageTower(checkpoint)

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    if precision == "auto" and device.startswith("cuda"):
        dtype = torch.float16
    return TorchForward(
        load, preparation, device, dtype, cpu_fallback=cpu_fallback, compiled=compiled
    )
