"""What the text tower learns besides captions: where a sentence model puts thousands of phrases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import torch
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from tools.demo_encoder import teacher
from tools.demo_encoder.captions import tokenize
from tools.demo_encoder.phrases import loose_phrases, names, words
from tools.demo_encoder.renders import kind_captions

LOOSE: Final = 10_000
CAPTIONS: Final = 2_000  # of the renders' own, for the teacher is slow
_TEMPERATURE: Final = 0.05
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all kinds; each is a right answer for every render of its kind."""

    texts: tuple[str, ...]
    tokens: torch.Tensor  # (names, tokens)
    kinds: torch.Tensor  # (names,)

    def draw(self, each: int) -> torch.Tensor:
        """Return the numbers of `each` names of every kind."""
        order = torch.randperm(len(self.kinds))
        order = order[self.kinds[order].argsort(stable=True)]
        first = torch.bincount(self.kinds).cumsum(0) - torch.bincount(self.kinds)
        return order[(first[:, None] + torch.arange(each)).reshape(-1)]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Phrases, and what the sentence model makes of them."""

    tokens: torch.Tensor  # (phrases, tokens)
    vectors: torch.Tensor  # (phrases, 384), unit length
    beliefs: torch.Tensor  # (phrases, kinds), rows add up to one


def all_names(kinds: Sequence[str]) -> list[tuple[str, int]]:
    """Return each name with the number of its kind; `kinds` are in the order of the numbers."""
    both = ((kind_captions(kind) + names(kind), number) for number, kind in enumerate(kinds))
    return [(name, number) for own, number in both for name in dict.fromkeys(own)]


def name_table(kinds: Sequence[str], tokenizer: CLIPTokenizer) -> Names:
    """Tokenize the names of all kinds."""
    texts, numbers = zip(*all_names(kinds), strict=True)
    return Names(texts, tokenize(tokenizer, texts), torch.tensor(numbers))


def phrase_texts(captions: Sequence[str]) -> list[str]:
    """Return the phrases beyond the names: of the grammar, single words, and some captions."""
    some = captions[:: max(1, len(captions) // CAPTIONS)]
    return list(dict.fromkeys([*loose_phrases(LOOSE), *words(), *some]))


def make_lessons(known: Names, phrases: Sequence[str], tokenizer: CLIPTokenizer) -> Lessons:
    """Ask the sentence model about the names and the phrases; a minute or two."""
    texts = [*known.texts, *phrases]
    vectors = teacher.sentence_vectors(teacher.find_teacher(), texts)
    count = len(known.texts)
    guessed = teacher.kind_beliefs(vectors[:count], known.kinds, vectors[count:])
    certain = functional.one_hot(known.kinds, guessed.shape[1]).float()
    return Lessons(tokenize(tokenizer, texts), vectors, torch.cat([certain, guessed]))


def text_states(model: CLIPModel, tokens: torch.Tensor) -> torch.Tensor:
    """Return (N, width): the text tower's last state, before the projection."""
    # All that follows the first end token is padding, and the end token has the largest id.
    longest = int(tokens.argmax(dim=1).max()) + 1
    return cast(Any, model.text_model)(input_ids=tokens[:, :longest]).pooler_output


def imitation(said: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Loss: `said` points where the sentence model does, and nearer to it than to other phrases."""
    said = functional.normalize(said, dim=-1)
    target = torch.arange(len(said))
    closeness = 1 - (said * vectors).sum(dim=1).mean()
    return closeness + 0.2 * functional.cross_entropy(said @ vectors.T / _TEMPERATURE, target)


def read_first(model: CLIPModel, head: torch.nn.Linear, lessons: Lessons, minutes: float) -> None:
    """Teach the text tower its words before it meets pictures."""
    started = time.monotonic()
    weights = [*cast(Any, model.text_model).parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, weight_decay=0.01, fused=True)
    done, steps, total = 0.0, 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, done / 0.05 + 0.02) * (1.02 - done)
        rows = torch.randint(len(lessons.tokens), (_BATCH,))
        loss = imitation(head(text_states(model, lessons.tokens[rows])), lessons.vectors[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps, total = steps + 1, 0.99 * total + 0.01 * float(loss.detach())
        done = (time.monotonic() - started) / 60 / minutes
    print(f"text tower: {steps} steps, loss about {total:.3f}, {minutes} min", flush=True)
