"""Every framework the library is rendered in, by name."""

from collections.abc import Mapping

from tools.sample_library.frameworks import (
    beer,
    bootstrap,
    bulma,
    chota,
    daisyui,
    fomantic,
    foundation,
    govuk,
    materialize,
    milligram,
    pico,
    primer,
    pure,
    spectre,
    uikit,
    water,
)
from tools.sample_library.kit import Kit

KITS: Mapping[str, Kit] = {kit.name: kit for module in (
    bootstrap, bulma, pico, milligram, water, pure, foundation, fomantic, materialize, uikit,
    spectre, primer, daisyui, govuk, chota, beer,
) for kit in module.KITS}

# Never in training renders: what an encoder scores on these says how it meets new designs.
HELD_OUT_FRAMEWORKS: tuple[str, ...] = ("uikit", "spectre", "fomantic")
