"""Things to look at: cards, heroes, prices, profiles, galleries, charts, stats, quotes."""

from typing import TYPE_CHECKING

from tools.sample_library import charts

if TYPE_CHECKING:
    from tools.sample_library.content import Component
    from tools.sample_library.kit import Kit

SIZES = {"landscape": (480, 320), "square": (400, 400), "portrait": (360, 460)}


def card_parts(kit: "Kit", c: "Component") -> dict[str, str]:
    """What a card holds: badge, title, text, points, price, buttons, footer, picture."""
    d = c.data
    second = kit.button(d["second"], "outline") if d["second"] else ""
    points = "".join(f'<li>{kit.icon("check")} {p}</li>' for p in d["points"])
    return {
        "badge": kit.badge(d["badge"]) if d["badge"] else "", "title": d["title"],
        "text": d["text"], "price": d["price"], "footer": d["footer"] or "",
        "points": f'<ul class="sx-list">{points}</ul>' if d["layout"] == "list" else "",
        "stars": kit.stars(d["rating"]) if c.icons else "",
        "buttons": kit.button(d["button"]) + " " + second,
        "picture": kit.picture(c, d["picture"], 480, (250, 300, 360)[c.variant % 3])
        if d["layout"] == "picture" else "",
    }


def card(kit: "Kit", c: "Component") -> str:
    p = card_parts(kit, c)
    body = (f'<div class="sx-line sx-between"><div class="sx-title">{p["title"]}</div>{p["badge"]}'
            f'</div>{p["stars"]}<p class="sx-p">{p["text"]}</p>{p["points"]}'
            f'<div class="sx-title">{p["price"]}</div><div class="sx-row">{p["buttons"]}</div>')
    if c.centred:
        body = f'<div class="sx-stack sx-text-center" style="align-items:center">{body}</div>'
    return kit.card(body, picture=p["picture"], footer=p["footer"])


def hero(kit: "Kit", c: "Component") -> str:
    d, layout = c.data, c.data["layout"]
    on_dark = layout in ("filled", "cover")
    kicker = f'<div class="{"" if on_dark else "sx-accent"}"><b>{d["kicker"]}</b></div>' if d[
        "kicker"] else ""
    second = kit.button(d["second"], "secondary" if on_dark else "outline", "large") if d[
        "second"] else ""
    first = kit.button(d["button"], "secondary" if layout == "filled" else "primary", "large")
    body = (f'{kicker}{kit.heading(d["title"], 1)}<p class="sx-p" style="font-size:1.2em">'
            f'{d["text"]}</p><div class="sx-row">{first}{second}</div>')
    if layout == "split":
        picture = kit.picture(c, d["picture"], 520, 380, css="border-radius:var(--sx-radius)")
        sides = [f'<div class="sx-stack">{body}</div>', picture]
        if c.variant % 3 == 0:
            sides.reverse()
        return (f'<section style="padding:48px 40px"><div class="sx-grid sx-c2" '
                f'style="gap:40px;align-items:center">{"".join(sides)}</div></section>')
    if layout == "cover":
        picture = kit.picture(c, d["picture"], 1200, 460)
        return (f'<section class="sx-cover">{picture}<div class="sx-veil"></div><div '
                f'class="sx-over sx-stack">{body}</div></section>')
    centred = "" if c.variant % 3 == 0 and layout == "filled" else \
        "sx-text-center;align-items:center"
    tint = "sx-filled" if layout == "filled" else "sx-soft" if c.variant % 2 else ""
    classes, _, css = centred.partition(";")
    return (f'<section class="{tint}" style="padding:64px 40px"><div class="sx-stack {classes}" '
            f'style="{css}">{body}</div></section>')


def pricing_table(kit: "Kit", c: "Component") -> str:
    d, cells = c.data, []
    for i, plan in enumerate(d["plans"]):
        best = i == d["featured"]
        lines = "".join(f'<li>{kit.icon("check") if c.icons else ""} {f}</li>'
                        for f in plan["features"])
        tag = kit.badge("Popular") if best else ""
        button = kit.button(plan["button"], "primary" if best or d["featured"] is None
                            else "outline", block=True)
        align = "sx-text-center" if c.centred else ""
        items = "align-items:center" if c.centred else ""
        body = (f'<div class="sx-line sx-between"><span class="sx-title">{plan["name"]}</span>{tag}'
                f'</div><div class="{align}"><span class="sx-big">{plan["price"]}</span> <span '
                f'class="sx-muted">/ {d["period"]}</span></div><ul class="sx-list" '
                f'style="{items}">{lines}</ul>{button}')
        cells.append(kit.card(body, featured=best))
    title = f'<div class="sx-text-center">{kit.heading(d["title"])}</div>' if d["title"] else ""
    return (f'<div class="sx-stack">{title}<div class="sx-grid sx-c{len(cells)}" '
            f'style="align-items:{"start" if c.variant % 2 else "stretch"}">{"".join(cells)}'
            f'</div></div>')


def profile_parts(kit: "Kit", c: "Component") -> tuple[str, str]:
    d = c.data
    numbers = "".join(f'<div class="sx-grow sx-text-center"><b>{n["value"]}</b><div '
                      f'class="sx-muted '
                      f'sx-small">{n["label"]}</div></div>' for n in d["numbers"])
    second = kit.button(d["second"], "outline") if d["second"] else ""
    return (f'<div class="sx-line" style="width:100%">{numbers}</div>',
            f'<div class="sx-row">{kit.button(d["button"])}{second}</div>')


def profile(kit: "Kit", c: "Component") -> str:
    d = c.data
    numbers, buttons = profile_parts(kit, c)
    who = (f'<div class="sx-title">{d["name"]}</div><div class="sx-muted">{d["role"]}, {d["city"]}'
           f'</div>')
    if d["layout"] == "row":
        return kit.card(f'<div class="sx-line">{kit.avatar(c, d, 84)}<div>{who}</div></div>'
                        f'<p class="sx-p">{d["text"]}</p>{numbers}{buttons}')
    cover, lift = "", ""
    if d["layout"] == "cover":
        cover, lift = kit.picture(c, d["cover"], 480, 150, "abstract"), "margin-top:-64px"
    return kit.card(f'<div class="sx-stack sx-text-center" style="align-items:center">'
                    f'<div style="position:relative;{lift}">{kit.avatar(c, d, 104)}</div><div>{who}'
                    f'</div><p class="sx-p">{d["text"]}</p>{numbers}{buttons}</div>', picture=cover)


def gallery(kit: "Kit", c: "Component") -> str:
    d = c.data
    width, height = SIZES[d["shape"]]
    cells = []
    for item in d["items"]:
        picture = kit.picture(c, item["picture"], width, height, d["scene"])
        if d["captions"] and c.variant % 2:
            cells.append(kit.card(f'<span class="sx-small">{item["title"]}'
                                  f'</span>', picture=picture))
        else:
            note = f'<div class="sx-small" style="padding-top:6px">{item["title"]}</div>' if d[
                "captions"] else ""
            cells.append(f'<figure class="sx-0"><div style="border-radius:var(--sx-radius);'
                         f'overflow:hidden">{picture}</div>{note}</figure>')
    title = kit.heading(d["title"], 3) if d["title"] else ""
    return (f'<div class="sx-stack">{title}<div class="sx-grid sx-c{d["columns"]}" '
            f'style="gap:{(8, 12, 16)[c.variant % 3]}px">{"".join(cells)}</div></div>')


def chart(kit: "Kit", c: "Component") -> str:
    d = c.data
    change = kit.badge(f'{d["change"]:+d}%', "success" if d["change"] >= 0 else "danger")
    total = f'<div><span class="sx-big">{d["total"]}</span> {change}</div>' if c.variant % 3 else ""
    side = kit.button("Export", "secondary", "small") if c.icons else change
    return kit.card(f'<div class="sx-line sx-between"><span class="sx-title">{d["title"]}</span>'
                    f'{side}</div>{total}{charts.chart_svg(d, kit.brand(c))}')


def stats(kit: "Kit", c: "Component") -> str:
    cells = []
    for item in c.data["items"]:
        up = item["change"] >= 0
        change = (f'<span class="sx-small {"sx-up" if up else "sx-down"}">{"▲" if up else "▼"} '
                  f'{abs(item["change"])}%</span>') if c.data["changes"] else ""
        bar = kit.progress(item["progress"]) if c.data["bars"] else ""
        glyph = f'<span class="sx-iconbox">{kit.icon(item["icon"], 1.3)}</span>' if c.icons else ""
        align = "sx-text-center" if c.centred else ""
        cells.append(kit.card(
            f'<div class="sx-line {align}">{glyph}<div class="sx-grow"><div class="sx-muted '
            f'sx-small">{item["label"]}</div><div class="sx-big" style="font-size:1.7em">'
            f'{item["value"]}</div>{change}</div></div>{bar}'))
    columns = 2 if len(cells) == 4 and c.width < 800 else len(cells)
    return f'<div class="sx-grid sx-c{columns}">{"".join(cells)}</div>'


def testimonial(kit: "Kit", c: "Component") -> str:
    d, cells = c.data, []
    for item in d["items"]:
        stars = kit.stars(item["stars"]) if d["stars"] else ""
        who = (f'<div class="sx-line">{kit.avatar(c, item, 48)}<div style="text-align:left"><b>'
               f'{item["name"]}</b><div class="sx-muted sx-small">{item["role"]}</div></div></div>')
        align = "sx-text-center" if c.centred else ""
        cells.append(kit.card(f'<div class="sx-stack {align}">{stars}{kit.quote(item["quote"])}'
                              f'{who}</div>'))
    title = f'<div class="sx-text-center">{kit.heading(d["title"], 3)}</div>' if d["title"] else ""
    return (f'<div class="sx-stack">{title}<div class="sx-grid sx-c'
            f'{1 if c.width < 600 else len(cells)}">{"".join(cells)}</div></div>')
