"""Three contrastive losses that pull one space into shape."""

from __future__ import annotations

import torch
from torch.nn import functional


def multi_positive(logits: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against every positive alike, both ways; logits and mask are (N, N)."""
    return (_rows(logits, positive) + _rows(logits.T, positive.T)) / 2


def supervised_contrastive(
    vectors: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """SupCon (arXiv:2004.11362): same label together, L_out form; vectors (N, D) are unit."""
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    logits = (vectors @ vectors.T / temperature).masked_fill(itself, -1e4)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    return _rows(logits, positive)


def instance_contrastive(
    first: torch.Tensor, second: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Two views of one render find each other among all others; (N, D) each, unit."""
    target = torch.arange(len(first), device=first.device)
    logits = first @ second.T / temperature
    there = functional.cross_entropy(logits, target)
    return (there + functional.cross_entropy(logits.T, target)) / 2


def _rows(logits: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of a row's positives, over the rows that have one."""
    weights = positive.float()
    counts = weights.sum(dim=1)
    likelihood = (functional.log_softmax(logits, dim=1) * weights).sum(dim=1)
    return -(likelihood / counts.clamp(min=1))[counts > 0].mean()
