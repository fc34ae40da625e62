"""Cheap changes to whole batches of pixels, drawn anew at every step."""

from __future__ import annotations

import torch
from torch.nn import functional


def moved(pixels: torch.Tensor) -> torch.Tensor:
    """Zoom by up to 6% and move by up to 5%, so that five stored views are never the same twice."""
    count = len(pixels)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, 1, 1] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, :, 2] = (torch.rand(count, 2) - 0.5) * 0.2
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def tinted(pixels: torch.Tensor) -> torch.Tensor:
    """Scale and offset each channel a little: another theme's accent, another screen."""
    gain = 1 + (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.16
    offset = (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.08
    return (pixels * gain + offset).clamp(0, 1)
