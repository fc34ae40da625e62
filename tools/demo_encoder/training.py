"""The training loop: one process, bfloat16 where there is it, a whole checkpoint every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from tools.demo_encoder import architecture, initial, losses
from tools.demo_encoder.jitter import moved, tinted
from tools.demo_encoder.renders import (
    VIEWS,
    Render,
    kind_captions,
    read_index,
    training_views,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a run can be told; the defaults made the shipped weights."""

    epochs: int = 60
    batch: int = 96
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.05
    warmup: float = 0.06
    prompt_weight: float = 1.0
    kind_weight: float = 0.5
    instance_weight: float = 1.0
    kind_temperature: float = 0.15
    instance_temperature: float = 0.07
    dropped: float = 0.5
    minutes: float = 26.0
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Captions:
    """All captions as tokens, and which of them each render may be called by."""

    tokens: torch.Tensor  # (captions, tokens)
    allowed: torch.Tensor  # (renders, captions), bool
    prompts: tuple[torch.Tensor, ...]  # by kind: the captions that say the kind and no more


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
    initial.prepare(model)
    model.set_attn_implementation("eager")  # torch's fused one is slow on 25 tokens
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
    prompts: dict[str, set[int]] = {}
    for render in renders:
        plain = (*render.captions[:1], *kind_captions(render.kind))
        prompts.setdefault(render.kind, set()).update(numbers[caption] for caption in plain)
    by_kind = tuple(torch.tensor(sorted(prompts[kind])) for kind in sorted(prompts))
    return Captions(tokens["input_ids"], allowed, by_kind)


class _Loop:
    """State of one run: the model, its data and the clock."""

    def __init__(
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
        self.dropped = recipe.dropped
        self.average = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
        )
        self.optimizer = torch.optim.AdamW(
            _groups(model, recipe.weight_decay),
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
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
                self._set_progress(min(1.0, max(elapsed, done)))
                total, steps = total + self._step(rows), steps + 1
            minutes = (time.monotonic() - started) / 60
            print(f"epoch {epoch + 1}: loss {total / steps:.3f}, {minutes:.1f} min", flush=True)
            architecture.save(cast(CLIPModel, self.average.module), self.tokenizer, self.out)
            if minutes >= self.recipe.minutes:
                break

    def _batches(self) -> Iterator[torch.Tensor]:
        """Yield batches of half the kinds each: negatives of the same kind teach the most."""
        order = torch.from_numpy(self.random.permutation(len(self.views)))
        size = min(self.recipe.batch, len(order) // 2)
        for pool in order[: len(order) // (2 * size) * 2 * size].split(2 * size):
            shuffled = torch.from_numpy(self.random.permutation(len(self.captions.prompts)))
            yield from pool[shuffled[self.kinds[pool]].argsort()].split(size)

    def _set_progress(self, progress: float) -> None:
        """Warm up, then a cosine to 2%; the last third sees whole pictures, as inference does."""
        warm = min(1.0, progress / self.recipe.warmup)
        cosine = 0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * warm * cosine
        self.dropped = self.recipe.dropped if progress < 0.67 else 0.0

    def _step(self, rows: torch.Tensor) -> float:
        recipe, count = self.recipe, len(rows)
        chosen = self._captions(rows)
        prompts = torch.stack([own[torch.randint(len(own), ())] for own in self.captions.prompts])
        images = self._embed_images(rows)
        texts, classes = self._embed_texts(torch.cat([chosen, prompts])).split(
            [count, len(prompts)]
        )
        first, second = images.chunk(2)
        kinds = self.kinds[rows].repeat(2)
        scale = self.model.logit_scale.exp().clamp(max=50)
        positive = self.captions.allowed[rows][:, chosen].repeat(2, 1)
        loss = losses.multi_positive(images @ texts.T * scale, positive)
        loss = loss + recipe.prompt_weight * functional.cross_entropy(
            images @ classes.T * scale, kinds
        )
        loss = loss + recipe.kind_weight * losses.supervised_contrastive(
            images, kinds, recipe.kind_temperature
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

    def _embed_images(self, rows: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of two views each, (2N, D), most of the way on a part of the patches.

        Dropping patches (FLIP, arXiv:2212.00794) nearly halves the time of a step.
        """
        vision = cast(Any, self.model.vision_model)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = vision.embeddings(self._pixels(rows))
            if self.dropped:
                kept = round((tokens.shape[1] - 1) * (1 - self.dropped))
                order = torch.rand(tokens.shape[0], tokens.shape[1] - 1).argsort(dim=1)[:, :kept]
                order = order[:, :, None].expand(-1, -1, tokens.shape[2]) + 1
                tokens = torch.cat([tokens[:, :1], tokens.gather(1, order)], dim=1)
            states = vision.encoder(inputs_embeds=vision.pre_layrnorm(tokens)).last_hidden_state
            pooled = vision.post_layernorm(states[:, 0])
            vectors = self.model.visual_projection(pooled)
        return functional.normalize(vectors.float(), dim=-1)

    def _embed_texts(self, captions: torch.Tensor) -> torch.Tensor:
        network = cast(Any, self.model)
        tokens = self.captions.tokens[captions]
        # All that follows the first end token is padding, and the end token has the largest id.
        longest = int(tokens.argmax(dim=1).max()) + 1
        with torch.autocast("cpu", torch.bfloat16):
            output = network.get_text_features(input_ids=tokens[:, :longest])
        return functional.normalize(output.pooler_output.float(), dim=-1)

    def _captions(self, rows: torch.Tensor) -> torch.Tensor:
        """Return one allowed caption a render, drawn anew each time."""
        weights = self.captions.allowed[rows].float()
        return torch.multinomial(weights, 1).squeeze(1)

    def _pixels(self, rows: torch.Tensor) -> torch.Tensor:
        """Return two different views of each render, slightly moved and tinted, normalized."""
        first = torch.from_numpy(self.random.integers(0, VIEWS, len(rows)))
        second = (first + torch.from_numpy(self.random.integers(1, VIEWS, len(rows)))) % VIEWS
        one, other = (self.views[rows, view].float() / 255 for view in (first, second))
        return (tinted(torch.cat([one, moved(other)])) - self.mean) / self.std


def _groups(model: CLIPModel, decay: float) -> list[dict[str, object]]:
    """Decay matrices only, as CLIP does."""
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
