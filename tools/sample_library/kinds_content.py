"""The data of each kind: one builder per kind, from a random source and a business."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from tools.sample_library import vocabulary as words
from tools.sample_library.businesses import Business

Data = dict[str, Any]


def money(business: Business, amount: float) -> str:
    text = f"{amount:,.2f}" if amount != int(amount) else f"{int(amount):,}"
    return f"{business.currency}{text}"


def person(rng: random.Random) -> Data:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    return {"name": f"{first} {last}", "initials": first[0] + last[0],
            "role": rng.choice(words.ROLES), "city": rng.choice(words.CITIES),
            "picture": rng.randrange(10_000)}


def day(rng: random.Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(words.MONTHS)} 2026"


def button_group(rng: random.Random, business: Business) -> Data:
    labels = list(rng.choice(words.BUTTON_SETS))
    style = rng.choice(("joined", "joined", "primary", "outline", "mixed"))
    size = rng.choice(("small", "normal", "normal", "large"))
    return {"labels": labels, "active": rng.randrange(len(labels)), "style": style, "size": size}


def card(rng: random.Random, business: Business) -> Data:
    name, price = rng.choice(business.products)
    return {"title": name, "text": rng.choice(business.leads), "price": money(business, price),
            "badge": rng.choice(("New", "Popular", "Last few", "-20%", None, None)),
            "button": rng.choice(words.CALLS), "second": rng.choice((None, "Details")),
            "footer": rng.choice((None, f"Updated {day(rng)}", f"{rng.randint(3, 240)} reviews")),
            "rating": rng.randint(3, 5), "picture": rng.randrange(10_000),
            "layout": rng.choice(("picture", "picture", "picture", "plain", "list")),
            "points": rng.sample(words.FEATURES, 3)}


def navbar(rng: random.Random, business: Business) -> Data:
    links = list(business.nav[: rng.randint(3, 6)])
    return {"brand": business.name, "links": links, "active": rng.randrange(len(links)),
            "search": rng.random() < 0.4, "button": rng.choice((None, "Sign in", "Join", "Book")),
            "second": rng.choice((None, "Log in")), "filled": rng.random() < 0.35,
            "logo": rng.randrange(6)}


def hero(rng: random.Random, business: Business) -> Data:
    return {"kicker": rng.choice((None, business.name, "New this season")),
            "title": rng.choice(business.headlines), "text": rng.choice(business.leads),
            "button": rng.choice(words.CALLS),
            "second": rng.choice((None, *words.SECOND_CALLS)), "picture": rng.randrange(10_000),
            "layout": rng.choice(("split", "split", "centred", "filled", "cover"))}


def pricing_table(rng: random.Random, business: Business) -> Data:
    names = business.plans[: rng.randint(2, min(4, len(business.plans)))]
    price, step = rng.randint(0, 15), rng.uniform(1.6, 3.0)
    plans = []
    for position, name in enumerate(names):
        plans.append({"name": name, "price": money(business, price),
                      "features": rng.sample(words.FEATURES, rng.randint(3, 4) + (position > 0)),
                      "button": rng.choice(("Choose plan", "Get started", f"Go {name}"))})
        price = int((price + 6) * step)
    return {"title": rng.choice((None, "Plans and prices", "Pick your plan")), "plans": plans,
            "featured": rng.choice((None, 1, 1, len(plans) - 1)),
            "period": rng.choice(("month", "month", "year", "week"))}


def login_form(rng: random.Random, business: Business) -> Data:
    register = rng.random() < 0.3
    host = business.name.lower().replace(" ", "").replace("&", "")
    return {"title": rng.choice(("Create account", "Sign up")) if register else
            rng.choice(("Sign in", "Welcome back", "Log in", f"Log in to {business.name}")),
            "name": register, "email": f"{rng.choice(words.FIRST_NAMES).lower()}@{host}.example",
            "filled": rng.random() < 0.5, "remember": rng.random() < 0.7,
            "forgot": not register and rng.random() < 0.7,
            "button": "Create account" if register else rng.choice(("Sign in", "Continue")),
            "social": rng.random() < 0.3, "brand": business.name, "logo": rng.randrange(6)}


def data_table(rng: random.Random, business: Business) -> Data:
    head = list(rng.choice(words.TABLES))
    rows = [[_cell(rng, business, column) for column in head] for _ in range(rng.randint(4, 9))]
    return {"title": rng.choice((None, f"{head[0]}s")), "head": head, "rows": rows,
            "style": rng.choice(("striped", "plain", "bordered", "hover")),
            "compact": rng.random() < 0.3, "checks": rng.random() < 0.25}


def _cell(rng: random.Random, business: Business, column: str) -> str:
    someone = person(rng)
    made: Mapping[str, Callable[[], str]] = {
        "Order": lambda: f"#{rng.randint(1000, 9999)}", "Customer": lambda: someone["name"],
        "Invoice": lambda: f"INV-{rng.randint(100, 999)}", "Client": lambda: someone["name"],
        "Date": lambda: day(rng), "Due": lambda: day(rng), "Since": lambda: day(rng),
        "Total": lambda: money(business, rng.randint(400, 90_000) / 100),
        "Amount": lambda: money(business, rng.randint(4_000, 900_000) / 100),
        "Name": lambda: someone["name"], "Role": lambda: someone["role"],
        "City": lambda: someone["city"], "Product": lambda: rng.choice(business.products)[0],
        "Stock": lambda: str(rng.randint(0, 240)),
        "Price": lambda: money(business, rng.randint(2, 400)),
        "Status": lambda: rng.choice(words.STATUSES)[0],
    }
    return made[column]()


def modal(rng: random.Random, business: Business) -> Data:
    title, text, confirm, cancel, tone, icon = rng.choice(words.MODALS)
    product, price = rng.choice(business.products)
    if rng.random() < 0.55:
        title, text, confirm, cancel, tone, icon = rng.choice((
            (f"Remove {product}?", f"It costs {money(business, price)} and will leave your list.",
             "Remove", "Keep it", "danger", "trash"),
            (f"Order {product}", f"{rng.choice(business.leads)} Total: {money(business, price)}.",
             "Order now", "Not yet", "primary", "cart"),
            (rng.choice(business.headlines), rng.choice(business.leads), rng.choice(words.CALLS),
             "Later", "primary", "star"),
            (f"How was {product}?", rng.choice(business.quotes), "Send review", "Skip", "primary",
             "chat"),
            (f"{product} is booked", f"See you on {day(rng)}, {rng.choice(words.CITIES)}.", "Done",
             "Change", "success", "calendar")))
    field = None
    if title.startswith(("Subscribe", "Invite")):
        field = "you@example.com"
    if title.startswith("Share"):
        field = f"{business.name.lower().replace(' ', '-')}.example/s/{rng.randint(100, 999)}"
    return {"title": title, "text": text, "confirm": confirm, "cancel": cancel, "tone": tone,
            "icon": icon, "field": field}


def footer(rng: random.Random, business: Business) -> Data:
    columns = rng.sample(words.FOOTERS, rng.randint(2, 4))
    return {"brand": business.name, "text": rng.choice(business.leads),
            "columns": [{"title": title, "links": list(links)} for title, links in columns],
            "newsletter": rng.random() < 0.35, "social": rng.random() < 0.5,
            "filled": rng.random() < 0.5, "note": f"© 2026 {business.name}",
            "logo": rng.randrange(6)}


def alert(rng: random.Random, business: Business) -> Data:
    tones = ("info", "warning", "success", "danger")
    picked = rng.sample(range(4), rng.choice((1, 1, 2, 3)))
    titles = {"info": "Note", "warning": "Please check", "success": "Done", "danger": "Problem"}
    return {"alerts": [{"tone": tones[i], "title": titles[tones[i]], "text": business.alerts[i]}
                       for i in picked],
            "titled": rng.random() < 0.5, "close": rng.random() < 0.5}


def tabs(rng: random.Random, business: Business) -> Data:
    labels = list(rng.choice(words.TABS))
    return {"labels": labels, "active": rng.randrange(len(labels)),
            "title": rng.choice(business.headlines), "text": rng.choice(business.leads),
            "points": rng.sample(words.FEATURES, rng.choice((0, 2, 3))),
            "style": rng.choice(("tabs", "tabs", "pills", "boxed"))}


def accordion(rng: random.Random, business: Business) -> Data:
    chosen = rng.sample(business.questions, rng.randint(3, len(business.questions)))
    return {"items": [{"question": q, "answer": a} for q, a in chosen],
            "open": rng.randrange(len(chosen))}


def pagination(rng: random.Random, business: Business) -> Data:
    last = rng.randint(4, 40)
    current = rng.randint(1, last)
    near = {1, last, current - 1, current, current + 1} | (set(range(1, 6)) if last < 6 else set())
    pages: list[int | None] = []
    for page in sorted(p for p in near if 1 <= p <= last):
        if pages and page - (pages[-1] or 0) > 1:
            pages.append(None)
        pages.append(page)
    return {"pages": pages, "current": current, "last": last,
            "words": rng.random() < 0.5, "size": rng.choice(("normal", "normal", "small", "large"))}


def profile(rng: random.Random, business: Business) -> Data:
    someone = person(rng)
    return {**someone, "text": rng.choice(business.leads), "company": business.name,
            "numbers": [{"label": label, "value": str(rng.randint(3, 900))}
                        for label in rng.choice((("Posts", "Followers", "Following"),
                                                 ("Projects", "Teams", "Reviews")))],
            "button": rng.choice(("Follow", "Message", "Hire", "Connect")),
            "second": rng.choice((None, "View profile", "Message")),
            "layout": rng.choice(("centred", "centred", "row", "cover")),
            "cover": rng.randrange(10_000)}


def gallery(rng: random.Random, business: Business) -> Data:
    count = rng.choice((3, 4, 6, 6, 8, 9))
    names = [name for name, _ in business.products]
    return {"title": rng.choice((None, business.headlines[0])),
            "columns": 2 if count in (4,) else rng.choice((3, 4)) if count == 8 else 3,
            "captions": rng.random() < 0.5,
            "items": [{"title": names[i % len(names)], "picture": rng.randrange(10_000)}
                      for i in range(count)],
            "shape": rng.choice(("landscape", "square", "portrait")),
            "scene": rng.choice((business.scene, business.scene, "photo"))}


def chart(rng: random.Random, business: Business) -> Data:
    style = rng.choice(("bars", "bars", "line", "area", "donut", "stacked", "horizontal"))
    count = rng.randint(3, 5) if style in ("donut", "horizontal") else rng.randint(6, 12)
    labels = list(words.SERIES[:count]) if style in ("donut", "horizontal") else list(
        words.MONTHS[:count])
    value, values = rng.uniform(30, 70), []
    for _ in labels:
        value = min(98.0, max(8.0, value + rng.uniform(-28, 30) + (52 - value) * 0.25))
        values.append(round(value, 1))
    return {"title": rng.choice(words.CHART_TITLES), "style": style, "labels": labels,
            "values": values, "second": [round(max(5, v * rng.uniform(0.4, 0.9)), 1)
                                         for v in values] if rng.random() < 0.5 else [],
            "total": f"{rng.randint(1_000, 90_000):,}", "change": rng.randint(-20, 40),
            "grid": rng.random() < 0.7}


def breadcrumb(rng: random.Random, business: Business) -> Data:
    trail = ["Home", rng.choice(business.nav), *(name for name, _ in rng.sample(
        business.products, rng.randint(1, 2)))]
    if rng.random() < 0.3:
        trail.append("Edit")
    return {"trail": trail, "home_icon": rng.random() < 0.4, "title": rng.random() < 0.3}


def stats(rng: random.Random, business: Business) -> Data:
    chosen = rng.sample(business.stats, min(len(business.stats), rng.randint(3, 4)))
    icons = rng.sample(("chart", "people", "cart", "star", "clock", "card", "box", "globe"), 4)
    return {"items": [{"label": label, "value": value, "change": rng.randint(-14, 32),
                       "icon": icon, "progress": rng.randint(15, 95)}
                      for (label, value), icon in zip(chosen, icons, strict=False)],
            "changes": rng.random() < 0.6, "bars": rng.random() < 0.3}


def testimonial(rng: random.Random, business: Business) -> Data:
    count = rng.choice((1, 1, 2, 3))
    quotes = rng.sample(business.quotes, count)
    return {"items": [{**person(rng), "quote": quote, "stars": rng.randint(4, 5)}
                      for quote in quotes],
            "stars": rng.random() < 0.5, "title": rng.choice((None, "What people say"))}


def sidebar(rng: random.Random, business: Business) -> Data:
    labels = list(rng.choice(words.SIDEBARS))[: rng.randint(6, 8)]
    badge = rng.randrange(len(labels))
    return {"brand": business.name, "logo": rng.randrange(6),
            "links": [{"label": label, "icon": words.SIDEBAR_ICONS[label],
                       "badge": str(rng.randint(2, 28)) if i == badge else None}
                      for i, label in enumerate(labels)],
            "active": rng.randrange(len(labels)), "user": person(rng),
            "show_user": rng.random() < 0.6, "sections": rng.random() < 0.4,
            "projects": [name for name, _ in rng.sample(business.products, 3)]}


BUILDERS: Mapping[str, Callable[[random.Random, Business], Data]] = {
    "button-group": button_group, "card": card, "navbar": navbar, "hero": hero,
    "pricing-table": pricing_table, "login-form": login_form, "data-table": data_table,
    "modal": modal, "footer": footer, "alert": alert, "tabs": tabs, "accordion": accordion,
    "pagination": pagination, "profile": profile, "gallery": gallery, "chart": chart,
    "breadcrumb": breadcrumb, "stats": stats, "testimonial": testimonial, "sidebar": sidebar,
}
