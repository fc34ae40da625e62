"""The parts of the demo encoder's training that its model card relies on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tools.demo_encoder import framings
from tools.demo_encoder.batches import GROUP, TWINS, hard_batches
from tools.demo_encoder.jitter import framed
from tools.demo_encoder.paraphrases import DEFINITIONS, PARAPHRASES
from tools.demo_encoder.phrases import loose_phrases, names, near, words
from tools.demo_encoder.synonyms import SYNONYMS


def test_no_training_phrase_comes_near_to_the_exam() -> None:
    """Or the card's figures for words never trained on would measure memory."""
    taught = [*(name for kind in SYNONYMS for name in names(kind)), *words(), *loose_phrases(2000)]
    exam = [*PARAPHRASES.values(), *DEFINITIONS.values()]
    assert [(one, asked) for one in taught for asked in exam if near(one, asked)] == []


def test_near_looks_at_the_words_that_carry_meaning() -> None:
    assert near("a menu on the left", "menu on the left side")
    assert not near("rows of numbers at the top", "rows and columns of data")


def test_a_batch_holds_twins_of_one_content() -> None:
    """They are the wrong answers that a crop is most easily taken for."""
    kinds, seeds = np.repeat(np.arange(4), 48), np.tile(np.repeat(np.arange(4), 12), 4)
    batches = list(hard_batches(kinds, seeds, 2 * GROUP, np.random.default_rng(0)))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(kinds)))
    for batch in batches:
        for twins in batch.split(TWINS):
            assert len({(kinds[row], seeds[row]) for row in twins.tolist()}) == 1


def test_a_window_beside_the_picture_is_filled() -> None:
    torch.manual_seed(0)
    pixels = torch.full((64, 3, 20, 20), 0.5)
    seen = framed(pixels, 16)
    assert seen.shape == (64, 3, 16, 16)
    assert seen.min() >= 0 and seen.max() <= 1.001
    changed = ((seen - 0.5).abs() > 0.01).flatten(1).any(dim=1).float().mean()
    assert 0.1 < changed < 0.9


@pytest.mark.parametrize(("size", "frames"), [((50, 50), 1), ((130, 50), 3), ((900, 50), 5)])
def test_tiles_are_the_whole_and_at_most_four_parts(size: tuple[int, int], frames: int) -> None:
    for turned in (size, size[::-1]):
        made = framings.tiles(Image.new("RGB", turned, "navy"), 32)
        assert [frame.size for frame in made] == [(32, 32)] * frames


def test_padding_takes_the_colour_of_the_border() -> None:
    picture = Image.new("RGB", (100, 20), "navy")
    picture.paste("white", (10, 5, 90, 15))
    (framed_picture,) = framings.pad(picture, 50)
    assert framed_picture.getpixel((25, 2)) == (0, 0, 128)


def test_extreme_shapes_are_wide_or_tall() -> None:
    assert framings.extreme((1200, 60)) and framings.extreme((100, 300))
    assert not framings.extreme((400, 100)) and not framings.extreme((100, 250))
