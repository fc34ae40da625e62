"""Cheap changes to whole batches of pixels, drawn anew at every step."""

from __future__ import annotations

import torch
from torch.nn import functional


def moved(pixels: torch.Tensor) -> torch.Tensor:
    """Zoom by up to 6% and move by up to 5%, so that the stored views are never the same twice."""
    count = len(pixels)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, 1, 1] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, :, 2] = (torch.rand(count, 2) - 0.5) * 0.2
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def framed(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Return (N, 3, side, side): each picture through another window, as people cut screenshots.

    The window is 70 to 100% (a crop), 100% (a shift) or 100 to 130% (a loose cut) of each side, up
    to 20% off the middle; what lies outside the picture is filled as `_fill` draws.
    """
    count = len(pixels)
    least, most = torch.tensor([[0.70, 1.0], [1.0, 1.0], [1.0, 1.3]])[torch.randint(3, (count,))].T[
        :, :, None
    ]
    scale = least + (most - least) * torch.rand(count, 2)
    # A crop stays within the picture, a loose cut holds all of it, a shift goes either way.
    room = torch.where(least == most, torch.tensor(0.4), (1 - scale).abs())
    middle = room * (2 * torch.rand(count, 2) - 1)
    theta = torch.cat([torch.diag_embed(scale), middle[:, :, None]], dim=2)
    grid = functional.affine_grid(theta, [count, 3, side, side], align_corners=False)
    inside = (grid.abs().amax(dim=3) <= 1)[:, None]
    border = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    colours, stretched = _fill(pixels)
    return torch.where(inside | stretched, border, colours)


def _fill(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return colours (N, 3, 1, 1) for the outside, and for which pictures its edge is stretched."""
    count, side = len(pixels), pixels.shape[2]
    row, column = torch.randint(side, (2, count))
    anywhere = pixels[torch.arange(count), :, row, column]
    grey = torch.rand(count, 1).expand(-1, 3)
    white = torch.ones(count, 3)
    choices = torch.stack([pixels[:, :, 0, 0], white, grey, anywhere])
    which = torch.multinomial(torch.tensor([0.35, 0.35, 0.15, 0.15]), count, replacement=True)
    colours = choices[which, torch.arange(count)]
    return colours[:, :, None, None], (torch.rand(count) < 0.15)[:, None, None, None]


def tinted(pixels: torch.Tensor) -> torch.Tensor:
    """Scale and offset each channel a little: another theme's accent, another screen."""
    gain = 1 + (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.16
    offset = (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.08
    return (pixels * gain + offset).clamp(0, 1)
