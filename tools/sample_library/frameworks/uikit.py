"""UIkit 3."""

from collections.abc import Mapping
from typing import ClassVar

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import controls, navigation, showcase
from tools.sample_library.vocabulary import BUTTON_ICONS

SIZES = {"small": " uk-button-small", "large": " uk-button-large", "normal": ""}


class UIkit(Kit):
    name = "uikit"
    package = "uikit"
    css = ("uikit/dist/css/uikit.min.css",)
    accent = "#1e87f0"
    radius = "0px"
    own_dark = True
    fonts = ("Inter", "Roboto", "Source Sans 3")
    tones: ClassVar[Mapping[str, str]] = {"neutral": "", "primary": "", "secondary": "", "info": ""}
    look = ("#stage .uk-button{text-transform:uppercase}#stage .uk-light .uk-card,#stage.x{}"
            "#stage ul.sx-list{margin:0}#stage .uk-card-title{margin:0}#stage .uk-table{margin:0}"
            "#stage .uk-accordion>li+li{margin-top:16px;padding-top:16px;border-top:1px solid "
            "var(--sx-line)}"
            "#stage .uk-accordion-title{color:inherit;font-size:1.1rem}"
            "#stage .uk-alert{margin:0}#stage blockquote{margin:0;font-size:1.1rem}")

    def body_class(self, dark: bool) -> str:
        return "uk-light uk-background-secondary" if dark else ""

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#222", "surface": "#2b2b2b", "soft": "#303030", "line": "#444",
                    "muted": "#a5a5a5", "text": "rgba(255,255,255,.8)"}
        return {"bg": "#fff", "surface": "#fff", "soft": "#f8f8f8", "line": "#e5e5e5",
                "muted": "#999", "text": "#666"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .uk-button-primary,#stage .uk-label:not([class*=label-]),#stage "
                f".uk-section-primary,#stage .uk-subnav-pill>.uk-active>a,#stage "
                f".uk-progress::-webkit-"
                f"progress-value{{background:{accent};color:{on}}}#stage "
                f"a:not([class]){{color:{accent}}}"
                f"#stage .uk-tab>.uk-active>a{{border-color:{accent}}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage .uk-card-title,#stage .uk-modal-title{color:#f2f2f2}#stage "
                ".uk-label-danger{background:#f0506e;color:#fff}#stage "
                ".uk-label-success{background:"
                "#32d296;color:#fff}#stage .uk-label-warning{background:#faa05a;color:#fff}"
                "#stage .uk-card-default,#stage .uk-modal-dialog,#stage .uk-modal-header,#stage "
                ".uk-modal-footer,#stage .uk-navbar-container{background:#2b2b2b;color:#d0d0d0}"
                "#stage .uk-button-primary{background:var(--sx-accent);color:var(--sx-on)}"
                "#stage .uk-card-footer,#stage .uk-modal-footer,#stage "
                ".uk-modal-header{border-color:#444}"
                "#stage .uk-alert-primary{background:#16324d;color:#9bcbff}#stage "
                ".uk-alert-success{"
                "background:#16382a;color:#8ee0b5}#stage .uk-alert-warning{background:#41301a;"
                "color:"
                "#ffc98a}#stage .uk-alert-danger{background:#441f28;color:#ff9fb2}"
                "#stage .uk-table-striped tbody "
                "tr:nth-of-type(odd){background:#2b2b2b}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": "primary", "secondary": "default", "outline": "default", "link": "text",
                "danger": "danger", "success": "primary"}.get(tone, "secondary")
        mark = self.icon(glyph) + " " if glyph else ""
        wide = " uk-width-1-1" if block else ""
        return (f'<button class="uk-button uk-button-{kind}{SIZES[size]}{wide}">{mark}{text}'
                f'</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        kind = f" uk-label-{tone}" if tone in ("success", "warning", "danger") else ""
        return f'<span class="uk-label{kind}">{text}</span>'

    def heading(self, text: str, level: int = 2) -> str:
        return f'<h{level} class="uk-h{level} uk-margin-remove">{text}</h{level}>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<label class="uk-form-label">{label}</label>' if label else ""
        glyph = {"email": "person", "password": "lock"}.get(kind)
        mark = f'<span class="uk-form-icon">{self.icon(glyph)}</span>' if glyph else ""
        return (f'<div>{name}<div class="uk-inline uk-width-1-1">{mark}<input class="uk-input" '
                f'type="{kind}" value="{value}" placeholder="{hint}"></div></div>')

    def search(self, hint: str = "Search") -> str:
        return f'<input class="uk-input uk-form-small" placeholder="{hint}" style="width:150px">'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label><input class="uk-checkbox" type="checkbox"{" checked" if checked else ""}'
                f'> '
                f"{label}</label>")

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="uk-card-media-top">{picture}</div>' if picture else ""
        foot = f'<div class="uk-card-footer uk-text-meta">{footer}</div>' if footer else ""
        body = body.replace('class="sx-title"', 'class="uk-card-title"')
        kind = "uk-card-default sx-featured" if featured else "uk-card-default"
        return (f'<div class="uk-card {kind} uk-card-small">{top}<div class="uk-card-body '
                f'sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": "striped", "hover": "hover"}.get(style, "divider")
        small = " uk-table-small" if compact else ""
        return (f'<table class="uk-table uk-table-middle uk-table-{kind}{small}"><thead>{head}'
                f'</thead>'
                f"<tbody>{rows}</tbody></table>")

    def progress(self, value: int) -> str:
        return (f'<progress class="uk-progress uk-margin-remove" value="{value}" max="100">'
                f'</progress>')

    def quote(self, text: str) -> str:
        return f'<blockquote><p class="uk-margin-remove">“{text}”</p></blockquote>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="uk-modal-dialog uk-open" style="opacity:1;transform:none;'
                f'width:100%"><div '
                f'class="uk-modal-header"><h2 class="uk-modal-title">{title}</h2></div><div class="'
                f'uk-modal-body sx-stack">{body}</div><div class="uk-modal-footer uk-text-right">'
                f"{actions}</div></div>")

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        tone = {"joined": "default", "primary": "primary", "outline": "secondary"}[c.data["style"]]
        buttons = []
        for i, label in enumerate(c.data["labels"]):
            name = BUTTON_ICONS.get(label)
            mark = self.icon(name) + " " if c.icons and name else ""
            kind = ("primary" if tone == "default" else tone) if i == c.data["active"] else tone
            buttons.append(f'<button class="uk-button uk-button-{kind}{SIZES[c.data["size"]]}'
                           f'">{mark}'
                           f"{label}</button>")
        return f'<div class="uk-button-group">{"".join(buttons)}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li class="{"uk-active" if i == d["active"] else ""}"><a '
                        f'href="#">{label}</a></li>'
                        for i, label in enumerate(d["links"]))
        skin = "sx-filled uk-light" if d["filled"] else ""
        brand = navigation.nav_brand(self, c).replace("sx-brand", "uk-navbar-item uk-logo sx-line")
        return (f'<nav class="uk-navbar-container uk-navbar {skin}" style="padding:0 20px"><div '
                f'class="uk-navbar-left">{brand}<ul class="uk-navbar-nav">{links}</ul></div><div '
                f'class='
                f'"uk-navbar-right"><div class="uk-navbar-item '
                f'sx-line">{navigation.nav_actions(self, c)}'
                "</div></div></nav>")

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            tone = {"info": "primary"}.get(item["tone"], item["tone"])
            title = f"<h3>{item['title']}</h3>" if c.data["titled"] else ""
            glyph = self.icon(item["tone"]) + " " if c.icons else ""
            close = f'<a class="uk-alert-close">{self.icon("close")}</a>' if c.data["close"] else ""
            parts.append(f'<div class="uk-alert uk-alert-{tone}">{close}{title}<p>{glyph}'
                         f'{item["text"]}'
                         "</p></div>")
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        pill = c.data["style"] == "pills"
        links = "".join(f'<li class="{"uk-active" if i == c.data["active"] else ""}"><a '
                        f'href="#">{label}</a></li>'
                        for i, label in enumerate(c.data["labels"]))
        frame = "uk-subnav uk-subnav-pill" if pill else "uk-tab"
        return (f'<ul class="{frame}" style="margin-bottom:20px">{links}'
                f'</ul>{navigation.tab_panel(self, c)}')

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = f'<div class="uk-accordion-content"><p>{item["answer"]}</p></div>' if on else ""
            glyph = (f'<span class="uk-align-right '
                     f'uk-margin-remove">{self.icon("up" if on else "down")}</span>')
            parts.append(f'<li class="{"uk-open" if on else ""}"><a class="uk-accordion-title" '
                         f'href="#">'
                         f'{item["question"]}{glyph}</a>{body}</li>')
        return f'<ul class="uk-accordion">{"".join(parts)}</ul>'

    def pagination(self, c: Component) -> str:
        items = [f'<li><a>{self.icon("left")}{" Previous" if c.data["words"] else ""}</a></li>']
        for page in c.data["pages"]:
            state = "uk-active" if page == c.data["current"] else "" if page else "uk-disabled"
            items.append(f'<li class="{state}"><{"span" if state else "a"}>{page or "…"}'
                         f'</{"span" if state else "a"}></li>')
        items.append(f'<li><a>{"Next " if c.data["words"] else ""}{self.icon("right")}</a></li>')
        centre = " uk-flex-center" if c.centred else ""
        return f'<ul class="uk-pagination uk-margin-remove{centre}">{"".join(items)}</ul>'

    def breadcrumb(self, c: Component) -> str:
        trail = c.data["trail"]
        first = self.icon("home") if c.data["home_icon"] else trail[0]
        items = "".join(f'<li><a href="#">{label}</a></li>' for label in [first, *trail[1:-1]])
        return (f'<ul class="uk-breadcrumb uk-margin-remove">{items}<li><span>{trail[-1]}</span>'
                f'</li></ul>'
                + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = ['<li class="uk-nav-header">Menu</li>']
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"]) + "&nbsp; " if c.icons else ""
            badge = f'<span class="uk-badge sx-end">{link["badge"]}</span>' if link["badge"] else ""
            on = "uk-active" if i == c.data["active"] else ""
            items.append(f'<li class="{on}"><a href="#" style="display:flex;'
                         f'align-items:center">{glyph}'
                         f'{link["label"]}{badge}</a></li>')
            if c.data["sections"] and i == 2:
                items.append('<li class="uk-nav-divider"></li>')
        kind = "uk-nav-primary" if c.variant % 3 == 0 else "uk-nav-default"
        return navigation.sidebar_frame(self, c, f'<ul class="uk-nav {kind}">{"".join(items)}</ul>')

    def hero(self, c: Component) -> str:
        if c.data["layout"] in ("split", "cover"):
            return showcase.hero(self, c)
        d = c.data
        skin = "primary uk-light" if d["layout"] == "filled" else "muted"
        tone = "primary" if skin == "muted" else "secondary"
        second = self.button(d["second"], "secondary", "large") if d["second"] else ""
        kicker = f'<p class="uk-text-meta">{d["kicker"]}</p>' if d["kicker"] else ""
        return (f'<div class="uk-section uk-section-{skin}"><div class="uk-container '
                f'uk-text-center">'
                f'{kicker}<h1 class="uk-heading-small">{d["title"]}</h1><p class="uk-text-lead">'
                f'{d["text"]}</p><div class="sx-row sx-center">'
                f'{self.button(d["button"], tone, "large")}{second}'
                "</div></div></div>")


KITS: tuple[Kit, ...] = (UIkit(),)
