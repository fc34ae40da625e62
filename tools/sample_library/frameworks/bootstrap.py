"""Bootstrap 5, its Bootswatch themes, and Tabler, which is built on it."""

from collections.abc import Mapping
from typing import ClassVar

from tools.sample_library.content import Component
from tools.sample_library.kit import FONTS, Kit, lightened
from tools.sample_library.templates import controls, navigation
from tools.sample_library.vocabulary import BUTTON_ICONS

BS_TOKENS = {"bg": "var(--bs-body-bg)", "surface": "var(--bs-body-bg)",
             "soft": "var(--bs-tertiary-bg)", "line": "var(--bs-border-color)",
             "muted": "var(--bs-secondary-color)", "text": "var(--bs-body-color)"}
SIZES = {"small": " btn-sm", "large": " btn-lg", "normal": ""}


class Bootstrap(Kit):
    name = "bootstrap"
    package = "bootstrap"
    css = ("bootstrap/dist/css/bootstrap.min.css",)
    icon_pack = "bootstrap"
    fonts: ClassVar[tuple[str, ...]] = FONTS
    accent = "#0d6efd"
    tones: ClassVar[Mapping[str, str]] = {"neutral": "secondary"}

    def html_attributes(self, dark: bool) -> str:
        return f'data-bs-theme="{"dark" if dark else "light"}"'

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return BS_TOKENS

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        shade = f"color-mix(in srgb,{accent} 85%,#000)"
        return (
            f":root{{--bs-primary:{accent}!important;--bs-link-color:{accent}}}"
            f"#stage .btn-primary{{--bs-btn-bg:{accent};--bs-btn-border-color:{accent};"
            f"--bs-btn-color:"
            f"{on};--bs-btn-active-bg:{shade};--bs-btn-active-border-color:{shade}}}"
            f"#stage .btn-outline-primary{{--bs-btn-color:{accent};--bs-btn-border-color:{accent};"
            f"--bs-btn-active-bg:{accent};--bs-btn-active-color:{on};--bs-btn-active-border-color:"
            f"{accent}}}#stage .bg-primary,#stage .text-bg-primary{{background:{accent}!important;"
            f"color:{on}!important}}#stage .nav-pills,#stage .nav{{--bs-nav-pills-link-active-bg:"
            f"{accent};--bs-nav-pills-link-active-color:{on}}}#stage .nav-tabs,#stage "
            f".nav-underline{{"
            f"--bs-nav-link-color:{accent}}}#stage .border-primary{{border-color:{accent}"
            f"!important}}#stage .pagination{{--bs-pagination-active-bg:"
            f"{accent};--bs-pagination-active-border-color:{accent};--bs-pagination-color:{accent}"
            f"}}"
            f"#stage .accordion{{--bs-accordion-active-color:{accent};--bs-accordion-active-bg:"
            f"color-mix(in srgb,{accent} 14%,var(--bs-body-bg))}}#stage .progress-bar{{"
            f"background:{accent}}}#stage .list-group{{--bs-list-group-active-bg:{accent};"
            f"--bs-list-group-active-border-color:{accent}}}#stage a:not([class]){{color:{accent}}}"
            f"#stage .form-check-input:checked{{background-color:{accent};border-color:{accent}}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "outline-primary", "neutral": "light"}.get(tone, tone)
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="btn btn-{kind}{SIZES[size]}{" w-100" if block else ""}">'
                f"{mark}{text}</button>")

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="badge text-bg-{self.tone(tone)}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<label class="form-label">{label}</label>' if label else ""
        return (f'<div>{name}<input class="form-control" type="{kind}" value="{value}" '
                f'placeholder="{hint}"></div>')

    def search(self, hint: str = "Search") -> str:
        return f'<input class="form-control" placeholder="{hint}" style="width:160px">'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<div class="form-check"><input class="form-check-input" type="checkbox"'
                f'{" checked" if checked else ""}><label class="form-check-label">{label}</label>'
                f'</div>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = picture.replace("sx-img", "sx-img card-img-top")
        head = f'<div class="card-header">{header}</div>' if header else ""
        foot = f'<div class="card-footer text-body-secondary">{footer}</div>' if footer else ""
        return (f'<div class="card{" border-primary shadow" if featured else ""}">{top}{head}'
                f'<div class="card-body sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": " table-striped", "bordered": " table-bordered", "hover": " table-hover"}
        return (f'<table class="table align-middle mb-0{kind.get(style, "")}'
                f'{" table-sm" if compact else ""}"><thead>{head}</thead><tbody>{rows}</tbody>'
                f'</table>')

    def progress(self, value: int) -> str:
        return (f'<div class="progress" style="height:8px"><div class="progress-bar" '
                f'style="width:{value}%"></div></div>')

    def quote(self, text: str) -> str:
        return f'<blockquote class="blockquote mb-0"><p class="sx-p">{text}</p></blockquote>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="modal-content modal position-static d-block" style="height:auto;'
                f'background:transparent"><div class="modal-content"><div class="modal-header">'
                f'<h5 class="modal-title">{title}</h5><button class="btn-close"></button></div>'
                f'<div class="modal-body sx-stack">{body}</div><div class="modal-footer">{actions}'
                "</div></div></div>")

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        size = {"small": " btn-group-sm", "large": " btn-group-lg", "normal": ""}[c.data["size"]]
        tone = {"joined": "outline-secondary", "outline": "outline-primary"}.get(
            c.data["style"], "primary")
        buttons = []
        for i, label in enumerate(c.data["labels"]):
            name = BUTTON_ICONS.get(label)
            mark = self.icon(name) + " " if c.icons and name else ""
            active = " active" if i == c.data["active"] else ""
            buttons.append(f'<button class="btn btn-{tone}{active}">{mark}{label}</button>')
        return f'<div class="btn-group{size}">{"".join(buttons)}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        skin = 'bg-primary" data-bs-theme="dark' if d["filled"] else ("bg-body-tertiary "
             "border-bottom")
        links = "".join(f'<li class="nav-item"><a '
                        f'class="nav-link{" active" if i == d["active"] else ""}'
                        f'" href="#">{label}</a></li>' for i, label in enumerate(d["links"]))
        actions = navigation.nav_actions(self, c).replace("btn-secondary", "btn-light")
        brand = navigation.nav_brand(self, c).replace("sx-brand", "navbar-brand sx-line")
        return (f'<nav class="navbar navbar-expand {skin}"><div class="container-fluid '
                f'px-4">{brand}'
                f'<ul class="navbar-nav me-auto">{links}</ul><div class="sx-line">{actions}</div>'
                "</div></nav>")

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            glyph = self.icon(item["tone"], 1.2) if c.icons else ""
            title = f"<strong>{item['title']}.</strong> " if c.data["titled"] else ""
            close = '<button class="btn-close"></button>' if c.data["close"] else ""
            parts.append(f'<div class="alert alert-{item["tone"]} sx-line mb-0'
                         f'{" alert-dismissible" if close else ""}">{glyph}<div>{title}'
                         f'{item["text"]}</div>{close}</div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        style = {"tabs": "nav-tabs", "pills": "nav-pills",
            "boxed": "nav-underline"}[c.data["style"]]
        links = "".join(f'<li class="nav-item"><a '
                        f'class="nav-link{" active" if i == c.data["active"] else ""}'
                        f'" href="#">{label}</a></li>' for i, label in enumerate(c.data["labels"]))
        panel = navigation.tab_panel(self, c)
        if c.variant % 3 == 0 and style != "nav-underline":
            return (f'<div class="card"><div class="card-header"><ul class="nav {style} '
                    f'card-header-{style[4:]}">{links}</ul></div><div class="card-body">{panel}'
                    "</div></div>")
        return f'<ul class="nav {style}">{links}</ul><div class="p-3">{panel}</div>'

    def accordion(self, c: Component) -> str:
        flush = " accordion-flush" if c.variant % 4 == 0 else ""
        parts = []
        for i, item in enumerate(c.data["items"]):
            shut = "" if i == c.data["open"] else " collapsed"
            show = "" if shut else (f'<div class="accordion-collapse"><div class="accordion-body">'
                                    f'{item["answer"]}</div></div>')
            parts.append(f'<div class="accordion-item"><h2 class="accordion-header"><button class='
                         f'"accordion-button{shut}" aria-expanded="{str(not shut).lower()}">'
                         f'{item["question"]}</button></h2>{show}</div>')
        return f'<div class="accordion{flush}">{"".join(parts)}</div>'

    def pagination(self, c: Component) -> str:
        size = {"small": " pagination-sm", "large": " pagination-lg", "normal": ""}[c.data["size"]]
        items = [_page("Previous" if c.data["words"] else "&laquo;")]
        for page in c.data["pages"]:
            items.append(_page(str(page or "…"), page == c.data["current"], page is None))
        items.append(_page("Next" if c.data["words"] else "&raquo;"))
        return f'<ul class="pagination{size} flex-wrap mb-0">{"".join(items)}</ul>'

    def breadcrumb(self, c: Component) -> str:
        trail = list(c.data["trail"])
        first = self.icon("home") if c.data["home_icon"] else trail[0]
        items = "".join(f'<li class="breadcrumb-item"><a href="#">{label}</a></li>'
                        for label in [first, *trail[1:-1]])
        box = "p-3 bg-body-tertiary rounded-3" if c.variant % 3 == 0 else "mb-0"
        return (f'<ol class="breadcrumb {box} mb-0">{items}<li class="breadcrumb-item active">'
                f"{trail[-1]}</li></ol>" + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"]) if c.icons else ""
            badge = (f'<span class="ms-auto">{self.badge(link["badge"], "secondary")}'
                     f'</span>') if link[
                "badge"] else ""
            on = " active" if i == c.data["active"] else ""
            tint = "" if on else " link-body-emphasis"
            kind = f"list-group-item list-group-item-action{on}" if c.variant % 3 == 0 else \
                f"nav-link{on}{tint}"
            items.append(f'<a class="{kind} sx-line" href="#">{glyph}<span>{link["label"]}</span>'
                         f"{badge}</a>")
        frame = "list-group" if c.variant % 3 == 0 else "nav nav-pills flex-column"
        return navigation.sidebar_frame(self, c, f'<div class="{frame}">{"".join(items)}</div>')


def _page(text: str, active: bool = False, off: bool = False) -> str:
    state = " active" if active else " disabled" if off else ""
    return f'<li class="page-item{state}"><a class="page-link" href="#">{text}</a></li>'


class Bootswatch(Bootstrap):
    """Bootstrap under one of Bootswatch's themes, a light and a dark one that belong together."""

    package = "bootswatch"
    fonts = ()
    dark_grounds = ("superhero",)  # Themes whose light look is dark, too.

    def __init__(self, theme: str, accent: str, font: str, icon_pack: str = "bootstrap") -> None:
        self.name = f"bootswatch-{theme}"  # type: ignore[misc]
        self.css = (f"bootswatch/dist/{theme}/bootstrap.min.css",)  # type: ignore[misc]
        self.accent = accent  # type: ignore[misc]
        self.icon_pack = icon_pack  # type: ignore[misc]
        self.look = f":root{{--bs-body-font-family:'{font}',sans-serif}}"  # type: ignore[misc]
        self._on_dark = theme in self.dark_grounds

    def brand(self, c: Component) -> str:
        return lightened(super().brand(c), 150) if self._on_dark else super().brand(c)


class Tabler(Bootstrap):
    name = "tabler"
    package = "@tabler/core"
    css = ("@tabler/core/dist/css/tabler.min.css",)
    icon_pack = "lucide"
    fonts = ("Inter",)
    accent = "#066fd1"
    look = ("#stage .form-control::placeholder{color:var(--sx-muted)}"
            "#stage .card-footer{padding:.75rem 1.25rem}")

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {**{k: v.replace("--bs-", "--tblr-") for k, v in BS_TOKENS.items()},
                "surface": "var(--tblr-bg-surface)", "soft": "var(--tblr-bg-surface-secondary)"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return super().accent_css(accent, on, dark).replace("--bs-", "--tblr-")

    def badge(self, text: str, tone: str = "primary") -> str:
        colour = {"success": "green", "warning": "yellow", "danger": "red", "info": "azure",
                  "neutral": "secondary", "secondary": "secondary"}.get(tone, "blue")
        return f'<span class="badge bg-{colour}-lt">{text}</span>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        made = super().card(body, picture=picture, footer=footer, header=header)
        if featured:
            made = made.replace('<div class="card">', '<div class="card"><div '
                'class="card-status-top '
                                'bg-primary"></div>', 1)
        return made

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        made = super().table(head, rows, style, compact)
        made = made.replace("table align", "table table-vcenter card-table align")
        return f'<div class="card">{made}</div>'

    def alert(self, c: Component) -> str:
        if c.variant % 2:
            return super().alert(c).replace('class="alert ', 'class="alert alert-important ')
        return super().alert(c)


KITS: tuple[Kit, ...] = (
    Bootstrap(), Tabler(),
    Bootswatch("lux", "#1a1a1a", "Nunito"), Bootswatch("minty", "#78c2ad", "Nunito"),
    Bootswatch("sketchy", "#333333", "Neucha"), Bootswatch("superhero", "#df6919", "Lato"),
)
