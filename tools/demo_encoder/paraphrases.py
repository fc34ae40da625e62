"""Other words for each kind, none of them a training caption: written once, before measuring."""

from __future__ import annotations

from typing import Final

PARAPHRASES: Final[dict[str, str]] = {
    "accordion": "questions that fold open",
    "alert": "coloured notice with a short message",
    "breadcrumb": "path of links to the current page",
    "button-group": "several buttons side by side",
    "card": "box with a picture, a title and a price",
    "chart": "bar graph of monthly values",
    "data-table": "rows and columns of data",
    "footer": "bottom of the page with link columns",
    "gallery": "wall of pictures",
    "hero": "large opening section with a headline",
    "login-form": "sign in with e-mail and password",
    "modal": "pop-up window asking to confirm",
    "navbar": "menu at the top of the page",
    "pagination": "go to the next page of results",
    "pricing-table": "compare plans by cost",
    "profile": "person with a portrait and a follow button",
    "sidebar": "menu on the left side",
    "stats": "big figures at a glance",
    "tabs": "switch between panels",
    "testimonial": "what customers say about us",
}
