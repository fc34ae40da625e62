"""Descriptions of a component in words, from what its content says is there."""

import random
from collections.abc import Callable
from typing import Any

from tools.sample_library.content import Component
from tools.sample_library.vocabulary import ACCENT_NAMES

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
           "eleven", "twelve")
NOUNS: dict[str, tuple[str, ...]] = {
    "button-group": ("button group", "row of buttons", "button toolbar"),
    "card": ("card", "product card", "content card"),
    "navbar": ("navbar", "navigation bar", "top navigation", "site header"),
    "hero": ("hero", "hero banner", "hero section", "landing page header"),
    "pricing-table": ("pricing table", "pricing plans", "price comparison"),
    "login-form": ("login form", "sign-in form", "login page"),
    "data-table": ("data table", "table", "table of records"),
    "modal": ("modal", "dialog", "popup dialog", "modal window"),
    "footer": ("footer", "page footer", "site footer"),
    "alert": ("alert", "notification", "message banner", "alert box"),
    "tabs": ("tabs", "tabbed panel", "tab bar"),
    "accordion": ("accordion", "FAQ accordion", "collapsible questions"),
    "pagination": ("pagination", "page numbers", "pager"),
    "profile": ("profile card", "user profile", "profile"),
    "gallery": ("image gallery", "photo grid", "gallery"),
    "chart": ("chart", "graph", "chart panel"),
    "breadcrumb": ("breadcrumb", "breadcrumb trail", "breadcrumbs"),
    "stats": ("statistics", "stats cards", "KPI tiles", "numbers overview"),
    "testimonial": ("testimonial", "customer quote", "review"),
    "sidebar": ("sidebar", "side navigation", "vertical menu"),
}


def count(number: int, noun: str) -> str:
    """`three plans`, `one quote`."""
    word = NUMBERS[number] if number < len(NUMBERS) else str(number)
    return f"{word} {noun}{'' if number == 1 else 's'}"


def facts(c: Component) -> list[str]:
    """What is seen in the component, as endings of a sentence."""
    d: dict[str, Any] = c.data
    made: dict[str, Callable[[], list[str | None]]] = {
        "button-group": lambda: [f"with {count(len(d.get('labels', ())), 'button')}",
                         "saying " + ", ".join(d.get("labels", ()))],
        "card": lambda: [f"for {d.get('title')}", "with a picture" if d.get("layout") == "picture"
        else
                 "without a picture", f"priced {d.get('price')}",
                 "with a list of features" if d.get("layout") == "list" else None],
        "navbar": lambda: [f"of {d.get('brand')}", f"with {count(len(d.get('links', ())), 'link')}",
                   "with a search field" if d.get("search") else None,
                   f"with a {d.get('button')} button" if d.get("button") else None,
                   "on a coloured background" if d.get("filled") else None],
        "hero": lambda: [f"saying {d.get('title')}",
                 {"split": "with text beside a picture", "cover": "over a full picture",
                  "filled": "on a coloured background", "centred": "with centred text"}.get(
                     d.get("layout", "")),
                 f"with a {d.get('button')} button"],
        "pricing-table": lambda: [f"with {count(len(d.get('plans', ())), 'plan')}",
                          "with a highlighted plan" if d.get("featured") is not None else None,
                          f"priced per {d.get('period')}"],
        "login-form": lambda: [f"titled {d.get('title')}", "with a remember me checkbox" if d.get(
            "remember") else None, "with a forgot password link" if d.get("forgot") else None,
            "with name, e-mail and password" if d.get("name") else "with e-mail and password"],
        "data-table": lambda: [f"with {count(len(d.get('rows', ())), 'row')}",
                       "with columns " + ", ".join(d.get("head", ())),
                       "with checkboxes" if d.get("checks") else None,
                       "with coloured statuses" if "Status" in d.get("head", ()) else None],
        "modal": lambda: [f"titled {d.get('title')}", f"with a {d.get('confirm')} button",
                  "with a text field" if d.get("field") else None],
        "footer": lambda: [f"of {d.get('brand')}", "with centred links" if c.variant % 4 == 0 else
                           f"with {count(len(d.get('columns', ())), 'column')} of links",
                           "with a newsletter field" if d.get("newsletter") and c.variant % 4
                           else None,
                   "on a coloured background" if d.get("filled") else None],
        "alert": lambda: _alert_facts(d),
        "tabs": lambda: [f"with {count(len(d.get('labels', ())), 'tab')}",
                 "with tabs " + ", ".join(d.get("labels", ())), f"about {d.get('title')}"],
        "accordion": lambda: [f"with {count(len(d.get('items', ())), 'question')}"
                              f"", "with one answer open"],
        "pagination": lambda: [f"on page {d.get('current')} of {d.get('last')}",
                       f"with {count(len(d.get('pages', ())), 'item')}"],
        "profile": lambda: [f"of {d.get('name')}", f"of a {str(d.get('role')).lower()}",
                    f"with a {d.get('button')} button",
                    "with a portrait" if c.pictures else "with initials",
                    "with a cover picture" if d.get("layout") == "cover" else None],
        "gallery": lambda: [f"with {count(len(d.get('items', ())), 'picture')}",
                    f"in {count(d.get('columns', 0), 'column')}",
                    "with captions" if d.get("captions") else None],
        "chart": lambda: [f"of {str(d.get('title')).lower()}", f"drawn as {_chart_words(d)}"],
        "breadcrumb": lambda: [f"with {count(len(d.get('trail', ())), 'level')}",
                       "reading " + ", ".join(d.get("trail", ()))],
        "stats": lambda: [f"with {count(len(d.get('items', ())), 'number')}",
                  "with icons" if c.icons else None, "with changes in percent" if d.get("changes")
                  else None, "with progress bars" if d.get("bars") else None],
        "testimonial": lambda: [f"with {count(len(d.get('items', ())), 'quote')}",
                        "with star ratings" if d.get("stars") else None,
                        "with portraits" if c.pictures else "with initials"],
        "sidebar": lambda: [f"of {d.get('brand')}",
        f"with {count(len(d.get('links', ())), 'link')}",
                    "with icons" if c.icons else None, "with a signed-in user" if d.get(
                        "show_user") else None],
    }
    return [fact for fact in made[c.kind]() if fact]


def _alert_facts(d: dict[str, Any]) -> list[str | None]:
    names = {"info": "info", "success": "success", "warning": "warning", "danger": "error"}
    alerts = d.get("alerts", ())
    return [f"with {count(len(alerts), 'message')}",
            "of type " + " and ".join(names[a["tone"]] for a in alerts),
            f"saying {alerts[0]['text']}" if alerts else None,
            "that can be closed" if d.get("close") else None]


def _chart_words(d: dict[str, Any]) -> str:
    return {"bars": "vertical bars", "stacked": "stacked bars", "horizontal": "horizontal bars",
            "line": "a line", "area": "a filled area", "donut": "a donut"}.get(d.get("style", ""),
            "")


def captions(c: Component, framework: str) -> list[str]:
    """Four to six different descriptions of one component, the plain name of its kind first."""
    rng = random.Random(f"captions/{c.kind}/{c.seed}/{framework}")
    known, nouns = facts(c), NOUNS[c.kind]
    rng.shuffle(known)
    style = framework.split("-", maxsplit=1)[0]
    made = [
        rng.choice(nouns),
        f"a {c.theme} {rng.choice(nouns)} {known[0]}",
        f"{rng.choice(nouns)} {' '.join(known[:2])}",
        f"{style} {rng.choice(nouns)} {known[-1]}",
        f"{c.business.sector} website {rng.choice(nouns)}",
    ]
    if c.accent:
        made.append(f"{c.theme} {rng.choice(nouns)} with {ACCENT_NAMES.get(c.accent, 'coloured')}"
                    f" accents")
    head, rest = made[0], made[1:]
    rng.shuffle(rest)
    return [head, *rest][:6]
