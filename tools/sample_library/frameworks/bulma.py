"""Bulma 1."""

from collections.abc import Mapping
from typing import ClassVar

from tools.sample_library.content import Component
from tools.sample_library.kit import FONTS, Kit
from tools.sample_library.templates import controls, navigation, showcase
from tools.sample_library.vocabulary import BUTTON_ICONS

SIZES = {"small": " is-small", "large": " is-medium", "normal": ""}


class Bulma(Kit):
    name = "bulma"
    package = "bulma"
    css = ("bulma/css/bulma.min.css",)
    icon_pack = "lucide"
    fonts = FONTS
    accent = "#00d1b2"
    tones: ClassVar[Mapping[str, str]] = {"neutral": "light", "secondary": "light"}
    look = ("#stage .title,#stage .subtitle{margin:0}#stage .card{margin:0}"
            "#stage .menu-list a:not(.is-active){background:none}")

    def html_attributes(self, dark: bool) -> str:
        return f'data-theme="{"dark" if dark else "light"}"'

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {"bg": "var(--bulma-scheme-main)", "surface": "var(--bulma-scheme-main)",
                "soft": "var(--bulma-scheme-main-bis)", "line": "var(--bulma-border)",
                "muted": "var(--bulma-text-weak)", "text": "var(--bulma-text)"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        parts = (f"#stage .is-primary:not(.is-outlined):not(.is-light){{background-color:{accent};"
                 f"color:{on};border-color:transparent}}#stage .is-primary .navbar-item,#stage "
                 f".is-primary .title,#stage .is-primary .subtitle{{color:{on}}}#stage .is-primary."
                 f"is-outlined{{color:{accent};border-color:{accent}}}#stage .is-current,#stage "
                 f".menu-list a.is-active{{background:{accent};color:{on};border-color:{accent}}}"
                 f"#stage .tabs li.is-active a{{color:{accent};border-bottom-color:{accent}}}"
                 f"#stage .tabs.is-toggle li.is-active a{{background:{accent};"
                 f"border-color:{accent};"
                 f"color:{on}}}#stage progress::-webkit-progress-value{{background:{accent}}}")
        return parts + f"#stage a:not([class]){{color:{accent}}}"

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "primary is-outlined", "link": "text"}.get(tone, self.tone(tone))
        mark = f'<span class="icon">{self.icon(glyph)}</span><span>' if glyph else "<span>"
        return (f'<button class="button is-{kind}{SIZES[size]}{" is-fullwidth" if block else ""}">'
                f"{mark}{text}</span></button>")

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="tag is-{self.tone(tone)}">{text}</span>'

    def heading(self, text: str, level: int = 2) -> str:
        return f'<h{level} class="title is-{level + 1}">{text}</h{level}>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<label class="label">{label}</label>' if label else ""
        left = {"email": "mail", "password": "lock"}.get(kind)
        mark = f'<span class="icon is-small is-left">{self.icon(left)}</span>' if left else ""
        return (f'<div class="field">{name}<div class="control{" has-icons-left" if left else ""}">'
                f'<input class="input" type="{kind}" value="{value}" placeholder="{hint}">{mark}'
                "</div></div>")

    def search(self, hint: str = "Search") -> str:
        return f'<input class="input is-small" placeholder="{hint}" style="width:150px">'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="card-image"><figure class="image">{picture}</figure></div>' if picture \
            else ""
        foot = (f'<footer class="card-footer"><span class="card-footer-item">{footer}</span>'
                "</footer>") if footer else ""
        return (f'<div class="card{" sx-featured" if featured else ""}">{top}<div '
                f'class="card-content"><div class="sx-stack">{body}</div></div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": " is-striped", "bordered": " is-bordered", "hover": " is-hoverable"}
        return (f'<table class="table is-fullwidth{kind.get(style, "")}'
                f'{" is-narrow" if compact else ""}"><thead>{head}</thead><tbody>{rows}</tbody>'
                f'</table>')

    def progress(self, value: int) -> str:
        return (f'<progress class="progress is-primary is-small" value="{value}" max="100">'
                f'</progress>')

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="modal is-active" style="position:static;width:100%"><div '
                f'class="modal-card" '
                f'style="width:100%;margin:0"><header class="modal-card-head">'
                f'<p class="modal-card-title">{title}</p><button class="delete"></button></header>'
                f'<section class="modal-card-body sx-stack">{body}</section><footer '
                f'class="modal-card-foot"><div class="buttons">{actions}</div></footer></div>'
                f'</div>')

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return f'<div class="buttons">{"".join(controls.group_buttons(self, c))}</div>'
        buttons = []
        for i, label in enumerate(c.data["labels"]):
            on = i == c.data["active"]
            tone = {"joined": " is-primary is-selected" if on else "", "primary": " is-primary",
                    "outline": " is-link is-outlined" if not on else " is-link"}[c.data["style"]]
            name = BUTTON_ICONS.get(label)
            mark = f'<span class="icon">{self.icon(name)}</span>' if c.icons and name else ""
            buttons.append(f'<button class="button{tone}{SIZES[c.data["size"]]}">{mark}'
                           f'<span>{label}'
                           "</span></button>")
        return f'<div class="buttons has-addons mb-0">{"".join(buttons)}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<a class="navbar-item{" is-active" if i == d["active"] else ""}">{label}'
                        f'</a>'
                        for i, label in enumerate(d["links"]))
        brand = navigation.nav_brand(self, c).replace("sx-brand", "navbar-item sx-line "
            "has-text-weight-bold")
        return (f'<nav class="navbar{" is-primary" if d["filled"] else " has-shadow"}" '
                f'style="display:'
                f'flex;align-items:stretch"><div class="navbar-brand px-3">{brand}</div><div '
                'class="navbar-menu" style="display:flex;flex-grow:1;background:none;'
                'box-shadow:none">'
                f'<div class="navbar-start" style="display:flex;align-items:stretch">{links}</div>'
                f'<div'
                ' class="navbar-end" style="margin-left:auto"><div class="navbar-item sx-line">'
                f"{navigation.nav_actions(self, c)}</div></div></div></nav>")

    def hero(self, c: Component) -> str:
        if c.data["layout"] in ("split", "cover"):
            return showcase.hero(self, c)
        d = c.data
        tone = " is-primary" if d["layout"] == "filled" else ""
        second = self.button(d["second"], "outline", "large") if d["second"] and not tone else ""
        first = self.button(d["button"], "secondary" if tone else "primary", "large")
        align = " has-text-centered" if c.centred else ""
        return (f'<section class="hero is-medium{tone}"><div class="hero-body{align}"><p '
                f'class="title '
                f'is-2">{d["title"]}</p><p class="subtitle py-4">{d["text"]}</p><div class="buttons'
                f'{" is-centered" if align else ""}">{first}{second}</div></div></section>')

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            close = '<button class="delete"></button>' if c.data["close"] else ""
            glyph = self.icon(item["tone"], 1.2) if c.icons else ""
            if c.variant % 3 == 0:
                parts.append(f'<article class="message is-{item["tone"]} mb-0"><div class='
                             f'"message-header"><p>{item["title"]}</p>{close}</div><div class='
                             f'"message-body">{item["text"]}</div></article>')
                continue
            light = " is-light" if c.variant % 3 == 1 else ""
            title = f"<strong>{item['title']}.</strong> " if c.data["titled"] else ""
            parts.append(f'<div class="notification is-{item["tone"]}{light} mb-0">{close}<div '
                         f'class='
                         f'"sx-line">{glyph}<span>{title}{item["text"]}</span></div></div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        style = {"tabs": "", "pills": " is-toggle is-toggle-rounded", "boxed": " is-boxed"}
        links = "".join(f'<li class="{"is-active" if i == c.data["active"] else ""}"><a>{label}'
                        f'</a></li>'
                        for i, label in enumerate(c.data["labels"]))
        centre = " is-centered" if c.centred else ""
        return (f'<div class="tabs{style[c.data["style"]]}{centre}"><ul>{links}</ul></div>'
                f'<div class="px-3">{navigation.tab_panel(self, c)}</div>')

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = f'<div class="card-content">{item["answer"]}</div>' if on else ""
            parts.append(f'<div class="card" style="margin:0"><header class="card-header"><p '
                         f'class="card-header-title">'
                         f'{item["question"]}</p><span class="card-header-icon">'
                         f'{self.icon("up" if on else "down")}</span></header>{body}</div>')
        return "".join(parts)

    def pagination(self, c: Component) -> str:
        pages = "".join(
            f'<li><a class="pagination-link{" is-current" if p == c.data["current"] else ""}">{p}'
            f'</a></li>'
            if p else '<li><span class="pagination-ellipsis">&hellip;</span></li>'
            for p in c.data["pages"])
        ends = '<a class="pagination-previous">Previous</a><a class="pagination-next">Next</a>' if \
            c.data["words"] and c.width > 400 else ""
        round_ = " is-rounded" if c.variant % 3 == 0 else ""
        return (f'<nav class="pagination{SIZES[c.data["size"]]}{round_}" style="margin:0;'
                f'flex-wrap:wrap;'
                f'justify-content:start">{ends}<ul class="pagination-list" '
                f'style="flex-grow:0">{pages}'
                "</ul></nav>")

    def breadcrumb(self, c: Component) -> str:
        mark = ("", " has-arrow-separator", " has-bullet-separator", " has-succeeds-separator")
        trail = c.data["trail"]
        items = []
        for i, label in enumerate(trail):
            glyph = f'<span class="icon is-small">{self.icon("home")}</span>' if not i and c.data[
                "home_icon"] else ""
            on = ' class="is-active"' if i == len(trail) - 1 else ""
            items.append(f"<li{on}><a href='#'>{glyph}<span>{label}</span></a></li>")
        return (f'<nav class="breadcrumb{mark[c.variant % 4]} mb-0"><ul>{"".join(items)}</ul></nav>'
                + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"]) if c.icons else ""
            badge = (f'<span class="sx-end tag is-rounded">{link["badge"]}'
                     f'</span>') if link["badge"] else ""
            on = "is-active" if i == c.data["active"] else ""
            items.append(f'<li><a class="{on}"><span class="sx-line">{glyph}<span>{link["label"]}'
                         f"</span>{badge}</span></a></li>")
        return navigation.sidebar_frame(
            self, c, '<div class="menu"><p class="menu-label">General</p><ul class="menu-list">'
            + "".join(items) + "</ul></div>")


KITS: tuple[Kit, ...] = (Bulma(),)
