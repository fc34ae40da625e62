"""Bars, menus and trails: navbar, sidebar, footer, tabs, pagination, breadcrumb."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.sample_library.content import Component
    from tools.sample_library.kit import Kit


def navbar(kit: "Kit", c: "Component") -> str:
    d = c.data
    links = "".join(
        f'<a href="#" class="sx-plain" style="{"font-weight:700" if i == d["active"] else ""}">'
        f"{label}</a>" for i, label in enumerate(d["links"]))
    filled = "sx-filled" if d["filled"] else "sx-surface"
    return (f'<nav class="{filled}" style="padding:14px 24px;border-bottom:1px solid '
            f'var(--sx-line)"><div class="sx-line" style="gap:24px">{nav_brand(kit, c)}'
            f'<div class="sx-line" style="gap:20px">{links}</div><div class="sx-line sx-end">'
            f'{nav_actions(kit, c)}</div></div></nav>')


def nav_brand(kit: "Kit", c: "Component") -> str:
    mark = kit.logo(c.data["logo"]) if c.icons else ""
    return f'<span class="sx-brand">{mark}{c.data["brand"]}</span>'


def nav_actions(kit: "Kit", c: "Component") -> str:
    d = c.data
    search = kit.search() if d["search"] else ""
    second = kit.button(d["second"], "secondary" if d["filled"] else "outline", "small") if d[
        "second"] and d["button"] else ""
    tone = "secondary" if d["filled"] else "primary"
    return search + second + (kit.button(d["button"], tone, "small") if d["button"] else "")


def footer(kit: "Kit", c: "Component") -> str:
    return (f'<footer class="{"sx-filled" if c.data["filled"] else "sx-soft"}" '
            f'style="padding:36px 32px 20px">{footer_body(kit, c)}</footer>')


def footer_body(kit: "Kit", c: "Component") -> str:
    d = c.data
    if c.variant % 4 == 0:
        return _footer_centred(kit, c)
    columns = "".join(
        '<div class="sx-stack sx-tight sx-grow"><b>' + col["title"] + "</b>"
        + "".join(f'<a class="sx-plain" href="#" style="opacity:.8">{link}</a>'
                  for link in col["links"]) + "</div>" for col in d["columns"])
    letter = ""
    if d["newsletter"]:
        letter = (f'<div class="sx-line">{kit.search("Your e-mail")}'
                  f'{kit.button("Join", "secondary" if d["filled"] else "primary", "small")}</div>')
    social = "".join(kit.icon(n, 1.2) for n in ("globe", "chat", "mail")) if d["social"] else ""
    return (f'<div class="sx-line" style="align-items:flex-start;gap:32px"><div class="sx-stack" '
            f'style="flex:1.6;gap:12px">{nav_brand(kit, c)}<p class="sx-p" style="opacity:.8">'
            f'{d["text"]}</p>{letter}</div>{columns}</div><div class="sx-line sx-between" '
            'style="border-top:1px solid color-mix(in srgb,currentColor 22%,transparent);'
            f'margin-top:24px;padding-top:14px"><span class="sx-small" style="opacity:.75">'
            f'{d["note"]}</span><span class="sx-line">{social}</span></div>')


def _footer_centred(kit: "Kit", c: "Component") -> str:
    """Everything on one axis: brand, one row of links, icons, the note."""
    d = c.data
    links = "".join(f'<a class="sx-plain" href="#" style="opacity:.85">{link}</a>'
                    for col in d["columns"] for link in col["links"][:2])
    social = "".join(kit.icon(n, 1.3) for n in ("globe", "chat", "mail", "phone")) if d[
        "social"] else ""
    return (f'<div class="sx-stack sx-text-center" style="align-items:center">{nav_brand(kit, c)}'
            f'<div class="sx-row" style="gap:12px 26px">{links}</div><div class="sx-line" '
            f'style="gap:18px">{social}</div><span class="sx-small" style="opacity:.7">{d["note"]}'
            "</span></div>")


def tab_panel(kit: "Kit", c: "Component") -> str:
    points = "".join(f"<li>{kit.icon('check')} {p}</li>" for p in c.data["points"])
    extra = f'<ul class="sx-list">{points}</ul>' if points else ""
    return (f'<div class="sx-stack" style="gap:10px"><div class="sx-title">{c.data["title"]}</div>'
            f'<p class="sx-p">{c.data["text"]}</p>{extra}</div>')


def tabs(kit: "Kit", c: "Component") -> str:
    items = "".join(
        f'<a href="#" class="sx-plain" style="padding:10px 16px;margin-bottom:-1px;border-bottom:'
        f'3px solid {"var(--sx-accent)" if i == c.data["active"] else "transparent"};'
        f'{"color:var(--sx-accent);font-weight:600" if i == c.data["active"] else ""}">{label}</a>'
        for i, label in enumerate(c.data["labels"]))
    return (f'<div><div class="sx-line" style="gap:0;border-bottom:1px solid var(--sx-line)">'
            f'{items}</div><div style="padding:18px 4px">{tab_panel(kit, c)}</div></div>')


def pagination(kit: "Kit", c: "Component") -> str:
    d, parts = c.data, []
    parts.append(kit.button("Previous" if d["words"] else "‹", "secondary", d["size"]))
    for page in d["pages"]:
        tone = "primary" if page == d["current"] else "secondary"
        parts.append(kit.button(str(page), tone, d["size"]) if page else "<span>…</span>")
    parts.append(kit.button("Next" if d["words"] else "›", "secondary", d["size"]))
    return f'<nav class="sx-line" style="gap:4px;flex-wrap:wrap">{"".join(parts)}</nav>'


def breadcrumb(kit: "Kit", c: "Component") -> str:
    trail = c.data["trail"]
    parts = [kit.link(label) for label in trail[:-1]]
    if c.data["home_icon"]:
        parts[0] = f'<a href="#">{kit.icon("home")}</a>'
    parts.append(f'<span class="sx-muted">{trail[-1]}</span>')
    mark = f'<span class="sx-muted">{("/", "›", "»")[c.variant % 3]}</span>'
    return f'<nav class="sx-line">{mark.join(parts)}</nav>' + breadcrumb_title(kit, c)


def breadcrumb_title(kit: "Kit", c: "Component") -> str:
    if not c.data["title"]:
        return ""
    return f'<div style="padding-top:10px">{kit.heading(c.data["trail"][-1], 3)}</div>'


def sidebar_frame(kit: "Kit", c: "Component", menu: str) -> str:
    """Brand on top, the menu, and who is signed in at the bottom."""
    user = ""
    if c.data["show_user"]:
        who = c.data["user"]
        user = (f'<hr class="sx-rule"><div class="sx-line">{kit.avatar(c, who, 40)}<div><b>'
                f'{who["name"]}</b><div class="sx-muted sx-small">{who["role"]}</div></div></div>')
    return (f'<aside class="{("sx-surface", "sx-soft")[c.variant % 2]} sx-stack" '
            f'style="padding:20px 14px;min-height:{(420, 520, 620)[c.variant % 3]}px;'
            f'border-right:1px solid var(--sx-line)"><div style="padding:0 8px">{nav_brand(kit, c)}'
            f'</div><div style="flex:1">{menu}</div>{user}</aside>')


def sidebar(kit: "Kit", c: "Component") -> str:
    rows = []
    for i, link in enumerate(c.data["links"]):
        on = i == c.data["active"]
        glyph = kit.icon(link["icon"], 1.15) if c.icons else ""
        badge = f'<span class="sx-end">{kit.badge(link["badge"])}</span>' if link["badge"] else ""
        tint = ("background:color-mix(in srgb,var(--sx-accent) 16%,transparent);"
                "color:var(--sx-accent);font-weight:600") if on else ""
        rows.append(f'<a href="#" class="sx-plain sx-line" style="padding:9px 12px;border-radius:'
                    f'var(--sx-radius);{tint}">{glyph}<span>{link["label"]}</span>{badge}</a>')
    extra = ""
    if c.data["sections"]:
        extra = ('<div class="sx-muted sx-small" style="padding:18px 12px 6px">Recent</div>'
                 + "".join(f'<a href="#" class="sx-plain" style="display:block;padding:6px 12px">'
                           f'{name}</a>' for name in c.data["projects"]))
    return sidebar_frame(kit, c, "".join(rows) + extra)
