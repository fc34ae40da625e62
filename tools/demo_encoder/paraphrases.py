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

# The way design systems define the same kinds in their documentation, shortened to a query.
DEFINITIONS: Final[dict[str, str]] = {
    "accordion": "vertically stacked list that expands and collapses to hide nested content",
    "alert": "informs users about an important event",
    "breadcrumb": "shows where the current page sits in the hierarchy of the site",
    "button-group": "related actions kept together in one strip",
    "card": "flexible container for information about a single subject",
    "chart": "quantitative data visualised",
    "data-table": "information organised in a grid for scanning and sorting",
    "footer": "logo, copyright notice and links to other pages",
    "gallery": "collection of thumbnails to browse",
    "hero": "captivating top-level container that introduces the main message",
    "login-form": "lets a returning user authenticate with credentials",
    "modal": "overlay that interrupts until the user responds",
    "navbar": "branding and primary destinations across the top",
    "pagination": "splits a long list into numbered chunks",
    "pricing-table": "subscription tiers and what each includes",
    "profile": "represents a member with avatar, name and bio",
    "sidebar": "secondary navigation in a column beside the content",
    "stats": "key metrics of a dashboard in large type",
    "tabs": "organises content so that one section is visible at a time",
    "testimonial": "endorsement quoted from a happy client",
}
