"""The training loop: one process, bfloat16 where the processor has it, a checkpoint every epoch."""

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

from tools.demo_encoder import architecture, initial, losses
from tools.demo_encoder.batches import hard_batches
from tools.demo_encoder.jitter import framed, moved, tinted
from tools.demo_encoder.material import Material, prepare
from tools.demo_encoder.renders import CHANGED
from tools.demo_encoder.teacher import DIM
from tools.demo_encoder.text_lessons import imitation, read_first, text_states

NAMES_EACH = 3  # names of every kind in a step
CUT = 0.6  # share of the disturbed views that are cut anew; the rest was stored


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a run can be told; the defaults made the shipped weights."""

    epochs: int = 60
    batch: int = 96
    learning_rate: float = 7e-4
    weight_decay: float = 0.05
    warmup: float = 0.06
    names_weight: float = 1.0
    kind_weight: float = 0.3
    instance_weight: float = 2.0
    distil_weight: float = 0.5
    kind_temperature: float = 0.15
    instance_temperature: float = 0.05
    dropped: float = 0.5
    dropped_until: float = 0.75
    text_minutes: float = 2.5
    minutes: float = 31.0
    vision_layers: int = 4
    vision_width: int = 192
    framing: str = "squash"  # or "square": random square parts, for `framings`
    threads: int = 2
    seed: int = 0


def train(folders: Sequence[Path], out: Path, recipe: Recipe, start: Path | None = None) -> None:
    """Train on the renders in `folders` and keep `out` a complete checkpoint after every epoch.

    With `start`, the image tower goes on from that checkpoint; the text tower begins anew.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    material, tokenizer = prepare(
        folders,
        recipe.threads,
        square=recipe.framing == "square",
        distil=recipe.distil_weight > 0,
    )
    model = architecture.build_model(len(tokenizer), recipe.vision_layers, recipe.vision_width)
    if start is None:
        initial.prepare(model)
    else:
        initial.go_on_from(model, start)
    model.set_attn_implementation("eager")  # torch's fused one is slow on 25 tokens
    loop = _Loop(model, tokenizer, recipe, material, out)
    if material.lessons is not None:
        read_first(model, loop.head, material.lessons, recipe.text_minutes)
    loop.run()


class _Loop:
    """One run: optimizer, running average of the weights, schedule."""

    def __init__(
        self,
        model: CLIPModel,
        tokenizer: CLIPTokenizer,
        recipe: Recipe,
        material: Material,
        out: Path,
    ) -> None:
        self.model, self.tokenizer, self.recipe, self.out = model, tokenizer, recipe, out
        self.material = material
        self.random = np.random.default_rng(recipe.seed)
        self.kinds = torch.from_numpy(material.kinds)
        self.head = torch.nn.Linear(model.config.text_config.hidden_size, DIM)
        self.centres = torch.zeros(int(self.kinds.max()) + 1, model.config.projection_dim)
        self.average = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
        )
        self.optimizer = torch.optim.AdamW(
            _groups([*model.parameters(), *self.head.parameters()], recipe.weight_decay),
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.mean = torch.tensor(architecture.MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(architecture.STD).view(1, 3, 1, 1)
        # Emulated, as on processors without AVX-512 BF16, it takes ten times as long.
        self.half = torch.cpu._is_avx512_bf16_supported()
        self.dropped = recipe.dropped

    def run(self) -> None:
        recipe, material, started = self.recipe, self.material, time.monotonic()
        for epoch in range(recipe.epochs):
            total, steps = torch.zeros(6), 0
            for rows in hard_batches(material.kinds, material.seeds, recipe.batch, self.random):
                # Progress by epochs or by the clock, whichever is further: the cosine always ends.
                elapsed = (time.monotonic() - started) / 60 / recipe.minutes
                done = (epoch + steps * recipe.batch / len(self.kinds)) / recipe.epochs
                self._set_progress(min(1.0, max(elapsed, done)))
                total, steps = total + self._step(rows), steps + 1
                if elapsed >= 1:
                    break
            minutes = (time.monotonic() - started) / 60
            means = " ".join(f"{value:.3f}" for value in (total / steps).tolist())
            print(f"epoch {epoch + 1}: {steps} steps, {means}, {minutes:.1f} min", flush=True)
            architecture.save(cast(CLIPModel, self.average.module), self.tokenizer, self.out)
            if minutes >= recipe.minutes:
                break

    def _set_progress(self, progress: float) -> None:
        """Warm up, then a cosine to 2%; the last part sees whole pictures, as inference does."""
        recipe = self.recipe
        warm = min(1.0, progress / recipe.warmup)
        cosine = 0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * warm * cosine
        self.dropped = recipe.dropped if progress < recipe.dropped_until else 0.0

    def _step(self, rows: torch.Tensor) -> torch.Tensor:
        parts = self._losses(rows)
        self.optimizer.zero_grad()
        parts.sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return parts.detach()

    def _losses(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the weighted losses: captions, names, kinds, instances, imitation, beliefs."""
        recipe, material, kinds = self.recipe, self.material, self.kinds[rows].repeat(2)
        images = self._embed_images(rows)
        clean, disturbed = images.chunk(2)
        drawn, named = material.captions.draw(rows), material.names.draw(NAMES_EACH)
        captions = self._embed_texts(material.captions.tokens[drawn])[1]
        names = self._embed_texts(material.names.tokens[named])[1]
        scale = self.model.logit_scale.exp().clamp(max=50)
        fit = material.captions.fit(rows, drawn).repeat(2, 1)
        same = kinds[:, None] == material.names.kinds[named][None, :]
        together = losses.supervised_contrastive(images, kinds, recipe.kind_temperature)
        found = losses.instance_contrastive(disturbed, clean, recipe.instance_temperature)
        self._move_centres(images.detach(), kinds)
        return torch.stack(
            [
                losses.multi_positive(images @ captions.T * scale, fit),
                losses.multi_positive(images @ names.T * scale, same) * recipe.names_weight,
                together * recipe.kind_weight,
                found * recipe.instance_weight,
                *self._phrase_losses(scale),
            ]
        )

    def _phrase_losses(self, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Say what the sentence model says, and mean the kinds that it believes are meant."""
        lessons, weight = self.material.lessons, self.recipe.distil_weight
        if lessons is None:
            return torch.zeros(()), torch.zeros(())
        rows = torch.randint(len(lessons.tokens), (self.recipe.batch,))
        states, phrases = self._embed_texts(lessons.tokens[rows])
        logits = phrases @ functional.normalize(self.centres, dim=1).T * scale
        meant = functional.cross_entropy(logits, lessons.beliefs[rows])
        return imitation(self.head(states), lessons.vectors[rows]) * weight, meant * weight

    def _move_centres(self, images: torch.Tensor, kinds: torch.Tensor) -> None:
        """Keep a running mean of each kind's pictures: what a phrase is compared with."""
        for kind in kinds.unique():
            self.centres[kind] = 0.9 * self.centres[kind] + 0.1 * images[kinds == kind].mean(dim=0)

    def _embed_images(self, rows: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of two views each, (2N, D), most of the way on a part of the patches.

        Dropping patches (FLIP, arXiv:2212.00794) nearly halves the time of a step.
        """
        vision = cast(Any, self.model.vision_model)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
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

    def _embed_texts(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the text tower's states, (N, width), and unit vectors, (N, D)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            states = text_states(self.model, tokens)
            vectors = self.model.text_projection(states)
        return states.float(), functional.normalize(vectors.float(), dim=-1)

    def _pixels(self, rows: torch.Tensor) -> torch.Tensor:
        """Return each render as inference sees it, then disturbed, slightly tinted, normalized."""
        clean = self.material.clean[rows].float() / 255
        disturbed, cut = torch.empty_like(clean), torch.rand(len(rows)) < CUT
        large = self.material.large[rows[cut]].float() / 255
        disturbed[cut] = framed(large, architecture.IMAGE_SIZE)
        stored = torch.from_numpy(self.random.integers(0, CHANGED, len(rows)))
        disturbed[~cut] = moved(self.material.changed[rows, stored][~cut].float() / 255)
        return (tinted(torch.cat([clean, disturbed])) - self.mean) / self.std


def _groups(weights: Sequence[torch.nn.Parameter], decay: float) -> list[dict[str, object]]:
    """Decay matrices only, as CLIP does."""
    matrices = [weight for weight in weights if weight.ndim >= 2]
    others = [weight for weight in weights if weight.ndim < 2]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
