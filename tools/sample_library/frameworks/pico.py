"""Pico CSS."""

from collections.abc import Mapping
from typing import ClassVar

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import controls, navigation


class Pico(Kit):
    name = "pico"
    package = "@picocss/pico"
    css = ("@picocss/pico/css/pico.min.css",)
    accent = "#0172ad"
    radius = "var(--pico-border-radius)"
    fonts: ClassVar[tuple[str, ...]] = ("Inter", "Roboto", "Nunito")
    look = ("#stage article{margin:0}#stage input:not([type=checkbox]){margin-bottom:0}"
            "#stage button,#stage [role=button]{margin:0}#stage table{margin:0}#stage "
            "label{margin:0}"
            "#stage article>header,#stage article>footer{margin-top:0}#stage .sx-top{padding:0;"
            "overflow:hidden;margin:calc(var(--pico-block-spacing-vertical)*-1) "
            "calc(var(--pico-block-spacing-horizontal)*-1) var(--pico-block-spacing-vertical)}"
            ".sx-tag{background:var(--sx-soft);border-radius:99px;padding:2px 10px;font-size:.75em;"
            "color:var(--sx-text)}.sx-tag.t-primary{background:var(--sx-accent);color:var(--sx-on)}"
            ".sx-tag.t-success{background:#c5f0d4;color:#0b4f26}"
            ".sx-tag.t-danger{background:#fbd5d5;"
            "color:#7a1515}.sx-tag.t-warning{background:#fdeab8;color:#6a4700}.sx-tag.t-info{"
            "background:#cfe6fb;color:#0d3f6e}")

    def html_attributes(self, dark: bool) -> str:
        return f'data-theme="{"dark" if dark else "light"}"'

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {"bg": "var(--pico-background-color)",
            "surface": "var(--pico-card-background-color)",
                "soft": "var(--pico-card-sectioning-background-color)",
                "line": "var(--pico-muted-border-color)", "muted": "var(--pico-muted-color)",
                "text": "var(--pico-color)"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        link = f"color-mix(in srgb,{accent} 65%,#fff)" if dark else accent
        return (f":root:root{{--pico-primary:{link};--pico-primary-background:{accent};"
                f"--pico-primary-border:{accent};--pico-primary-inverse:{on}}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": "", "outline": "outline", "secondary": "secondary",
                "link": "outline secondary", "danger": "contrast"}.get(tone, "")
        pad = {"small": "padding:.3rem .7rem;font-size:.85rem;", "large": "padding:.9rem 1.5rem;"}
        wide = "width:100%" if block else "width:auto"
        mark = self.icon(glyph) + " " if glyph else ""
        return f'<button class="{kind}" style="{pad.get(size, "")}{wide}">{mark}{text}</button>'

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="sx-tag t-{tone}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        return f'<label>{label}<input type="{kind}" value="{value}" placeholder="{hint}"></label>'

    def search(self, hint: str = "Search") -> str:
        return f'<input type="search" placeholder="{hint}" style="width:170px;margin:0">'

    def check(self, label: str, checked: bool = True) -> str:
        return f'<label><input type="checkbox"{" checked" if checked else ""}> {label}</label>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="sx-top">{picture}</div>' if picture else ""
        head = f"<header>{header}</header>" if header else ""
        foot = f"<footer><small>{footer}</small></footer>" if footer else ""
        ring = ' class="sx-featured"' if featured else ""
        return f'<article{ring}>{top}{head}<div class="sx-stack">{body}</div>{foot}</article>'

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        return (f'<table class="{"striped" if style == "striped" else ""}"><thead>{head}</thead>'
                f"<tbody>{rows}</tbody></table>")

    def progress(self, value: int) -> str:
        return f'<progress value="{value}" max="100" style="margin:0"></progress>'

    def quote(self, text: str) -> str:
        return f'<blockquote style="margin:0">“{text}”</blockquote>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<dialog open style="position:static;display:block;min-height:0;width:100%;'
                f'padding:0;'
                f'background:none;backdrop-filter:none"><article style="width:100%;'
                f'max-width:none"><header><button aria-label="Close" '
                f'rel="prev"></button><p class="sx-p"><strong>{title}</strong></p></header><div '
                f'class="sx-stack">{body}</div><footer><div class="sx-line" style="justify-content:'
                f'flex-end">{actions}</div></footer></article></dialog>')

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        tone = {"joined": "secondary", "outline": "outline", "primary": ""}[c.data["style"]]
        inner = "".join(f'<button class="{tone if i != c.data["active"] else ""}">{label}</button>'
                        for i, label in enumerate(c.data["labels"]))
        return f'<div role="group" style="margin:0">{inner}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li><a href="#" {"aria-current=page" if i == d["active"] else ""} class="'
                        f'{"" if i == d["active"] else "secondary"}">{label}</a></li>'
                        for i, label in enumerate(d["links"]))
        skin = "sx-soft" if d["filled"] else ""
        return (f'<nav class="{skin}" style="padding:4px 28px;border-bottom:1px solid '
                f'var(--sx-line)">'
                f'<ul><li><strong class="sx-line">{self.logo(d["logo"]) if c.icons else ""}'
                f'{d["brand"]}'
                f'</strong></li>{links}</ul><ul><li '
                f'class="sx-line">{navigation.nav_actions(self, c)}'
                "</li></ul></nav>")

    def tabs(self, c: Component) -> str:
        links = "".join(f'<button class="{"" if i == c.data["active"] else "outline"}">{label}'
                        f'</button>'
                        for i, label in enumerate(c.data["labels"]))
        return (f'<div role="group">{links}</div>{self.card(navigation.tab_panel(self, c))}'
                if c.data["style"] != "tabs" else navigation.tabs(self, c))

    def accordion(self, c: Component) -> str:
        role = c.variant % 3 == 0
        parts = []
        for i, item in enumerate(c.data["items"]):
            summary = (f'<summary{" role=button class=secondary" if role else ""}'
                     f'>{item["question"]}</summary>')
            shown = " open" if i == c.data["open"] else ""
            parts.append(f'<details{shown}>{summary}<p class="sx-p">{item["answer"]}</p></details>')
        return "<hr>".join(parts) if not role else "".join(parts)

    def breadcrumb(self, c: Component) -> str:
        items = "".join(f'<li><a href="#">{label}</a></li>' for label in c.data["trail"][:-1])
        divider = ("", "--pico-nav-breadcrumb-divider:'✦'", "--pico-nav-breadcrumb-divider:'→'")
        return (f'<nav aria-label="breadcrumb" style="{divider[c.variant % 3]}"><ul>{items}<li>'
                f'{c.data["trail"][-1]}</li></ul></nav>' + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = "".join(
            f'<li><a href="#" class="{"" if i == c.data["active"] else "secondary"} sx-line" '
            f'style="'
            f'display:flex">{self.icon(link["icon"]) if c.icons else ""}{link["label"]}'
            f'{" " + self.badge(link["badge"]) if link["badge"] else ""}</a></li>'
            for i, link in enumerate(c.data["links"]))
        return navigation.sidebar_frame(self, c, f'<nav style="display:block"><ul '
                                              f'style="display:block;'
                                     f'margin:0;padding:0 8px">{items}</ul></nav>')


KITS: tuple[Kit, ...] = (Pico(),)
