"""The captions of the renders as tokens, and which of them each render may be called by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from tools.demo_encoder.architecture import MAX_TOKENS
from tools.demo_encoder.renders import Render


@dataclass(frozen=True, slots=True)
class Captions:
    """Every distinct caption once."""

    tokens: torch.Tensor  # (captions, tokens)
    own: (
        torch.Tensor
    )  # (renders, most captions of one): numbers of captions, -1 where there is none

    def draw(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the number of one of its captions for each render, drawn anew each time."""
        own = self.own[rows]
        return own.gather(1, torch.multinomial((own >= 0).float(), 1)).squeeze(1)

    def fit(self, rows: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """Return (rows, drawn): whether the render may be called by the caption."""
        return (self.own[rows][:, :, None] == drawn[None, None, :]).any(dim=1)


def tokenize(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Return (texts, tokens), padded to the longest."""
    return tokenizer(
        list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )["input_ids"]


def caption_table(renders: Sequence[Render], tokenizer: CLIPTokenizer) -> Captions:
    """Tokenize each distinct caption once."""
    texts = sorted({caption for render in renders for caption in render.captions})
    numbers = {text: number for number, text in enumerate(texts)}
    own = torch.full((len(renders), max(len(render.captions) for render in renders)), -1)
    for row, render in enumerate(renders):
        own[row, : len(render.captions)] = torch.tensor([numbers[c] for c in render.captions])
    return Captions(tokenize(tokenizer, texts), own)
