"""The training loop: one process, bfloat16 where there is it, a whole checkpoint every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from tools.demo_encoder import architecture, losses
from tools.demo_encoder.renders import VIEWS, Render, read_index, training_views


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a run can be told; the defaults made the shipped weights."""

    epochs: int = 30
    batch: int = 160
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.05
    warmup: float = 0.06
    kind_weight: float = 0.6
    instance_weight: float = 1.0
    kind_temperature: float = 0.15
    instance_temperature: float = 0.07
    minutes: float = 35.0
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Captions:
    """All captions as tokens, and which of them each render may be called by."""

    tokens: torch.Tensor  # (captions, tokens)
    allowed: torch.Tensor  # (renders, captions), bool


def train(folders: Sequence[Path], out: Path, recipe: Recipe) -> None:
    """Train on the renders in `folders` and keep `out` a complete checkpoint after every epoch."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    renders = [render for folder in folders for render in read_index(folder)]
    started = time.monotonic()
    views = torch.from_numpy(training_views(renders, recipe.threads))
    print(f"{len(renders)} renders, {VIEWS} views each, {time.monotonic() - started:.0f} s")
    tokenizer = architecture.train_tokenizer(
        caption for render in renders for caption in render.captions
    )
    model = architecture.build_model(len(tokenizer))
    captions = tokenize(renders, tokenizer)
    kinds = label([render.kind for render in renders])
    _Loop(
        model=model,
        tokenizer=tokenizer,
        recipe=recipe,
        views=views,
        kinds=kinds,
        captions=captions,
        out=out,
    ).run()


def label(names: Sequence[str]) -> torch.Tensor:
    """Return one integer per distinct name."""
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([numbers[name] for name in names])


def tokenize(renders: Sequence[Render], tokenizer: CLIPTokenizer) -> Captions:
    """Tokenize each distinct caption once."""
    texts = sorted({caption for render in renders for caption in render.captions})
    numbers = {text: number for number, text in enumerate(texts)}
    allowed = torch.zeros(len(renders), len(texts), dtype=torch.bool)
    for row, render in enumerate(renders):
        allowed[row, [numbers[caption] for caption in render.captions]] = True
    tokens = tokenizer(
        texts,
        padding=True,
        truncation=True,
        max_length=architecture.MAX_TOKENS,
        return_tensors="pt",
    )
    return Captions(tokens["input_ids"], allowed)


class _Loop:
    """State of one run: the model, its data and the clock."""

    def __init__(  # noqa: PLR0913 - the parts of one run, handed over once
        self,
        *,
        model: CLIPModel,
        tokenizer: CLIPTokenizer,
        recipe: Recipe,
        views: torch.Tensor,
        kinds: torch.Tensor,
        captions: Captions,
        out: Path,
    ) -> None:
        self.model, self.tokenizer, self.recipe, self.out = model, tokenizer, recipe, out
        self.views, self.kinds, self.captions = views, kinds, captions
        self.random = np.random.default_rng(recipe.seed)
        self.average = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
        )
        self.optimizer = torch.optim.AdamW(
            _groups(model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98)
        )
        self.mean = torch.tensor(architecture.MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(architecture.STD).view(1, 3, 1, 1)

    def run(self) -> None:
        started = time.monotonic()
        for epoch in range(self.recipe.epochs):
            total, steps = 0.0, 0
            for rows in self._batches():
                # Progress by epochs or by the clock, whichever is further: the cosine always ends.
                elapsed = (time.monotonic() - started) / 60 / self.recipe.minutes
                done = (epoch + steps * self.recipe.batch / len(self.views)) / self.recipe.epochs
                self._set_rate(min(1.0, max(elapsed, done)))
                total, steps = total + self._step(rows), steps + 1
            minutes = (time.monotonic() - started) / 60
            print(f"epoch {epoch + 1}: loss {total / steps:.3f}, {minutes:.1f} min", flush=True)
            architecture.save(cast(CLIPModel, self.average.module), self.tokenizer, self.out)
            if minutes >= self.recipe.minutes:
                break

    def _batches(self) -> list[torch.Tensor]:
        order = torch.from_numpy(self.random.permutation(len(self.views)))
        full = len(order) // self.recipe.batch * self.recipe.batch
        return list(order[:full].split(self.recipe.batch)) or [order]

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / self.recipe.warmup)
        rate = (
            self.recipe.learning_rate
            * warm
            * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _step(self, rows: torch.Tensor) -> float:
        recipe, count = self.recipe, len(rows)
        chosen = self._captions(rows)
        network = cast(Any, self.model)
        with torch.autocast("cpu", torch.bfloat16):
            images = network.get_image_features(pixel_values=self._pixels(rows)).pooler_output
            texts = network.get_text_features(input_ids=self.captions.tokens[chosen]).pooler_output
        images = functional.normalize(images.float(), dim=-1)
        texts = functional.normalize(texts.float(), dim=-1)
        first, second = images[:count], images[count:]
        scale = self.model.logit_scale.exp().clamp(max=50)
        positive = self.captions.allowed[rows][:, chosen]
        loss = losses.multi_positive(first @ texts.T * scale, positive) / 2
        loss = loss + losses.multi_positive(second @ texts.T * scale, positive) / 2
        loss = loss + recipe.kind_weight * losses.supervised_contrastive(
            images, self.kinds[rows].repeat(2), recipe.kind_temperature
        )
        loss = loss + recipe.instance_weight * losses.instance_contrastive(
            first, second, recipe.instance_temperature
        )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return float(loss.detach())

    def _captions(self, rows: torch.Tensor) -> torch.Tensor:
        """Return one allowed caption a render, drawn anew each time."""
        weights = self.captions.allowed[rows].float()
        return torch.multinomial(weights, 1).squeeze(1)

    def _pixels(self, rows: torch.Tensor) -> torch.Tensor:
        """Return two different views of each render, slightly moved and tinted, normalized."""
        first = torch.from_numpy(self.random.integers(0, VIEWS, len(rows)))
        second = (first + torch.from_numpy(self.random.integers(1, VIEWS, len(rows)))) % VIEWS
        pixels = torch.cat([self.views[rows, first], self.views[rows, second]]).float() / 255
        return (_jitter(_move(pixels)) - self.mean) / self.std


def _move(pixels: torch.Tensor) -> torch.Tensor:
    """Zoom by up to 6% and move by up to 5%, so that five stored views are never the same twice."""
    count = len(pixels)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, 1, 1] = 1 + (torch.rand(count) - 0.5) * 0.12
    theta[:, :, 2] = (torch.rand(count, 2) - 0.5) * 0.2
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _jitter(pixels: torch.Tensor) -> torch.Tensor:
    """Scale and offset each channel a little: another theme's accent, another screen."""
    gain = 1 + (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.16
    offset = (torch.rand(len(pixels), 3, 1, 1) - 0.5) * 0.08
    return (pixels * gain + offset).clamp(0, 1)


def _groups(model: CLIPModel, decay: float) -> list[dict[str, object]]:
    """Decay matrices only, as CLIP does."""
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
