"""All that a training run learns from, made from folders of renders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTokenizer

from tools.demo_encoder import architecture
from tools.demo_encoder.captions import Captions, caption_table
from tools.demo_encoder.renders import read_index, training_pictures
from tools.demo_encoder.text_lessons import (
    Lessons,
    Names,
    all_names,
    make_lessons,
    name_table,
    phrase_texts,
)


@dataclass(frozen=True, slots=True)
class Material:
    """All that a run learns from, as arrays."""

    clean: torch.Tensor  # (N, 3, H, W) uint8
    large: torch.Tensor  # (N, 3, LARGE, LARGE) uint8
    changed: torch.Tensor  # (N, CHANGED, 3, H, W) uint8
    kinds: np.ndarray  # (N,)
    seeds: np.ndarray  # (N,)
    captions: Captions
    names: Names
    lessons: Lessons | None


def prepare(
    folders: Sequence[Path], workers: int, *, square: bool, distil: bool
) -> tuple[Material, CLIPTokenizer]:
    """Read the renders in `folders`, learn a vocabulary, ask the sentence model if it is wanted."""
    started = time.monotonic()
    renders = [render for folder in folders for render in read_index(folder)]
    pictures = training_pictures(renders, workers, square=square)
    print(f"{len(renders)} renders read, {time.monotonic() - started:.0f} s", flush=True)
    kinds = sorted({render.kind for render in renders})
    captions = sorted({caption for render in renders for caption in render.captions})
    phrases = phrase_texts(captions)
    tokenizer = architecture.train_tokenizer(
        [*captions, *phrases, *(name for name, _ in all_names(kinds))]
    )
    names = name_table(kinds, tokenizer)
    lessons = make_lessons(names, phrases, tokenizer) if distil else None
    print(
        f"{len(captions)} captions, {len(names.texts)} names, {len(phrases)} phrases, "
        f"{time.monotonic() - started:.0f} s",
        flush=True,
    )
    material = Material(
        clean=torch.from_numpy(pictures.clean),
        large=torch.from_numpy(pictures.large),
        changed=torch.from_numpy(pictures.changed),
        kinds=np.array([kinds.index(render.kind) for render in renders]),
        seeds=np.array([render.seed for render in renders]),
        captions=caption_table(renders, tokenizer),
        names=names,
        lessons=lessons,
    )
    return material, tokenizer
