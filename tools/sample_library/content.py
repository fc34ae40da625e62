"""A component's content model: what it says and shows, from a kind and a seed, in no framework."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tools.sample_library import kinds_content
from tools.sample_library.businesses import LIBRARY_CLIENTS, Business
from tools.sample_library.businesses_training import TRAINING_BUSINESSES

LIBRARY_SEED = 1_000_000  # Seeds from here on belong to the committed library, never to training.

WIDTHS: dict[str, tuple[int, ...]] = {
    "button-group": (360, 480, 640), "card": (360, 480), "navbar": (768, 960, 1200),
    "hero": (768, 960, 1200), "pricing-table": (768, 960, 1200), "login-form": (360, 480),
    "data-table": (640, 768, 960), "modal": (480, 640), "footer": (768, 960, 1200),
    "alert": (480, 640, 960, 1200), "tabs": (480, 640, 768), "accordion": (480, 640, 768),
    "pagination": (360, 480, 640), "profile": (360, 480), "gallery": (480, 640, 960),
    "chart": (480, 640, 768), "breadcrumb": (480, 640, 1200), "stats": (640, 960, 1200),
    "testimonial": (480, 640, 960), "sidebar": (280, 320),
}
KINDS: tuple[str, ...] = tuple(WIDTHS)
THEMES = ("light", "dark")


@dataclass(frozen=True)
class Component:
    """One component to draw: the content and the choices that shape how it looks."""

    kind: str
    seed: int
    business: Business
    theme: str
    width: int
    accent: str | None  # None leaves the framework its own primary colour.
    font: int
    variant: int
    icons: bool
    pictures: bool
    centred: bool
    data: dict[str, Any]

    @property
    def dark(self) -> bool:
        return self.theme == "dark"

    @property
    def colour(self) -> str:
        """The brand colour for pictures and charts, also when the framework keeps its own."""
        return self.accent or self.business.colours[0]


def make_component(kind: str, seed: int, framework: str, view: int = 0) -> Component:
    """The component of a kind and seed as one framework shows it; `view` varies theme and width.

    Content depends on kind and seed alone, so that frameworks can be compared on equal content.
    """
    rng = random.Random(f"{kind}/{seed}")
    pool: Sequence[Business] = LIBRARY_CLIENTS
    if seed < LIBRARY_SEED:
        pool = LIBRARY_CLIENTS + TRAINING_BUSINESSES
    business = rng.choice(pool)
    data = kinds_content.BUILDERS[kind](rng, business)
    look = random.Random(f"{kind}/{seed}/{framework}")
    themes = [THEMES[look.random() < 0.36]]
    themes.append(THEMES[themes[0] == "light"])
    widths = list(WIDTHS[kind])
    look.shuffle(widths)
    width = widths[view % len(widths)]
    if kind == "navbar" and width < 900:  # A narrow bar has room for fewer things.
        data |= {"links": data["links"][:3], "active": data["active"] % 3, "second": None,
                 "button": None if data["search"] else data["button"]}
    if kind == "pricing-table" and width < 900 and len(data["plans"]) > 3:
        data |= {"plans": data["plans"][:3], "featured": data["featured"] and 2}
    return Component(
        kind=kind, seed=seed, business=business,
        theme=themes[view % 2], width=width,
        accent=rng.choice(business.colours) if look.random() < 0.6 else None,
        font=look.randrange(100), variant=look.randrange(60),
        icons=rng.random() < 0.6, pictures=rng.random() < 0.65, centred=rng.random() < 0.4,
        data=data,
    )
