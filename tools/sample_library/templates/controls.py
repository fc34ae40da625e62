"""Things to act on: button groups, login forms, tables, dialogs, alerts, accordions."""

from typing import TYPE_CHECKING

from tools.sample_library.vocabulary import BUTTON_ICONS, STATUSES

if TYPE_CHECKING:
    from tools.sample_library.content import Component
    from tools.sample_library.kit import Kit

STATUS_TONES = dict(STATUSES)


def button_group(kit: "Kit", c: "Component") -> str:
    return f'<div class="sx-row" style="gap:8px">{"".join(group_buttons(kit, c))}</div>'


def group_buttons(kit: "Kit", c: "Component") -> list[str]:
    """The buttons of a group, toned by the group's style and its active item."""
    style, active = c.data["style"], c.data["active"]
    tones = {"joined": ("primary", "secondary"), "primary": ("primary", "primary"),
             "outline": ("primary", "outline"), "mixed": ("primary", "link")}[style]
    return [kit.button(label, tones[i != active], c.data["size"],
                       glyph=BUTTON_ICONS.get(label) if c.icons else None)
            for i, label in enumerate(c.data["labels"])]


def login_fields(kit: "Kit", c: "Component") -> str:
    """The fields and buttons of a login form, without its frame."""
    d = c.data
    parts = [kit.field("Name", value="Maya Lindqvist" if d["filled"] else "", hint="Your name")
             if d["name"] else "",
             kit.field("E-mail", "email", d["email"] if d["filled"] else "", "you@example.com"),
             kit.field("Password", "password", "secret-word" if d["filled"] else "", "Password")]
    options = kit.check("Remember me", d["filled"]) if d["remember"] else ""
    forgot = kit.link("Forgot password?") if d["forgot"] else ""
    if options or forgot:
        parts.append(f'<div class="sx-row sx-between sx-small">{options}{forgot}</div>')
    parts.append(kit.button(d["button"], block=True))
    if d["social"]:
        parts.append('<div class="sx-muted sx-small sx-text-center">or</div>'
                     + kit.button("Continue with e-mail link", "outline", glyph="mail", block=True))
    return "".join(parts)


def login_form(kit: "Kit", c: "Component") -> str:
    mark = f'<div class="sx-accent" style="font-size:1.6em">{kit.logo(c.data["logo"])}</div>' \
        if c.icons else ""
    align = "sx-text-center" if c.centred else ""
    head = f'<div class="{align}">{mark}{kit.heading(c.data["title"], 3)}</div>'
    form = f'<form class="sx-stack">{head}{login_fields(kit, c)}</form>'
    return kit.card(form) if c.variant % 4 else f'<div style="padding:12px">{form}</div>'


def table_cells(kit: "Kit", c: "Component") -> tuple[str, str]:
    """The head row and body rows, with statuses as badges."""
    d = c.data
    tick = '<th style="width:36px"><input type="checkbox"></th>' if d["checks"] else ""
    box = '<td><input type="checkbox"></td>' if d["checks"] else ""
    head = "<tr>" + tick + "".join(f"<th>{name}</th>" for name in d["head"]) + "</tr>"
    rows = []
    for row in d["rows"]:
        cells = "".join(
            f"<td>{kit.badge(cell, STATUS_TONES[cell]) if name == 'Status' else cell}</td>"
            for name, cell in zip(d["head"], row, strict=True))
        rows.append(f"<tr>{box}{cells}</tr>")
    return head, "".join(rows)


def data_table(kit: "Kit", c: "Component") -> str:
    head, rows = table_cells(kit, c)
    table = kit.table(head, rows, c.data["style"], c.data["compact"])
    if not c.data["title"]:
        return table
    bar = (f'<div class="sx-line sx-between">{kit.heading(c.data["title"], 3)}'
           f'{kit.button("Add", "primary", "small", glyph=None)}</div>')
    return f'<div class="sx-stack">{bar}{table}</div>'


def modal(kit: "Kit", c: "Component") -> str:
    d = c.data
    field = kit.field("", "text", "" if "@" in d["field"] else d["field"], d["field"]) if d[
        "field"] else ""
    glyph = (f'<div style="font-size:2em;color:var(--sx-accent)">{kit.icon(d["icon"])}</div>'
             if c.icons and c.centred else "")
    body = f'{glyph}<p class="sx-p">{d["text"]}</p>{field}'
    actions = kit.button(d["cancel"], "secondary") + " " + kit.button(d["confirm"], d["tone"])
    return (f'<div class="sx-backdrop"><div style="width:100%;max-width:440px">'
            f'{kit.dialog(d["title"], body, actions)}</div></div>')


def alert(kit: "Kit", c: "Component") -> str:
    colours = {"info": "#2563eb", "success": "#16a34a", "warning": "#d97706", "danger": "#dc2626"}
    parts = []
    for item in c.data["alerts"]:
        glyph = kit.icon(item["tone"], 1.2) if c.icons else ""
        title = f"<b>{item['title']}.</b> " if c.data["titled"] else ""
        close = f'<span class="sx-end">{kit.icon("close")}</span>' if c.data["close"] else ""
        tone = colours[item["tone"]]
        parts.append(
            f'<div class="sx-line" style="padding:14px 16px;border-left:4px solid {tone};'
            f'background:color-mix(in srgb,{tone} 14%,var(--sx-bg));'
            f'border-radius:var(--sx-radius)">'
            f'<span style="color:{tone}">{glyph}</span><span>{title}{item["text"]}</span>{close}'
            '</div>')
    return f'<div class="sx-stack">{"".join(parts)}</div>'


def accordion(kit: "Kit", c: "Component") -> str:
    parts = []
    for i, item in enumerate(c.data["items"]):
        is_open = i == c.data["open"]
        answer = f'<p class="sx-p" style="padding:0 16px 14px">{item["answer"]}</p>' if is_open \
            else ""
        rule = '<hr class="sx-rule">' if i else ""
        parts.append(f'{rule}<div class="sx-line sx-between" style="padding:14px 16px"><b>'
                     f'{item["question"]}</b>{kit.icon("up" if is_open else "down")}</div>{answer}')
    return f'<div class="sx-panel">{"".join(parts)}</div>'
