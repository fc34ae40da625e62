"""Chota, a small framework with one card, one nav and CSS variables."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation


class Chota(Kit):
    name = "chota"
    package = "chota"
    css = ("chota/dist/chota.min.css",)
    accent = "#14854f"
    radius = "4px"
    fonts = ("Nunito", "Inter", "Lato")
    look = ("body.dark{--bg-color:#111418;--bg-secondary-color:#1d2229;--font-color:#f5f5f5;"
            "--color-grey:#9aa3b2;"
            "--color-darkGrey:#8d96a5;--color-lightGrey:#333a45}#stage h1,#stage h2,#stage "
            "h3,#stage blockquote{margin:0}"
            "#stage .button{margin:0}#stage .nav{min-height:0}#stage .tag{border-radius:4px}"
            "#stage table{margin:0;width:100%}"
            "#stage .card{padding:1.6rem 2rem;overflow:hidden}#stage .card>.sx-top{margin:-1.6rem "
            "-2rem 1.4rem}"
            "#stage .card footer{margin:1.2rem 0 0}body.dark .card{background:#1d2229}body.dark "
            "input:not([type=checkbox]){background:"
            "#14181d;color:#fff;border-color:#3d4653}#stage .nav .brand{color:inherit;"
            "font-size:1.9rem;padding:0}#stage .nav .tabs>a{padding:1rem 1.4rem}")

    def body_class(self, dark: bool) -> str:
        return "dark" if dark else ""

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#111418", "surface": "#1d2229", "soft": "#262d36", "line": "#333a45",
                "muted": "#9aa3b2",
                    "text": "#f5f5f5"}
        return {"bg": "#fff", "surface": "#fff", "soft": "#f3f3f6", "line": "#d2d6dd",
            "muted": "#747681", "text": "#333"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f":root:root{{--color-primary:{accent}}}#stage "
                f".button.primary:not(.outline){{color:{on}}}"
                f"#stage .tabs>a.active{{color:{accent}}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "outline primary", "danger": "error", "link": "clear primary"}.get(tone,
            tone)
        kind = {"warning": "", "info": ""}.get(kind, kind)
        css = {"small": "padding:.5rem 1.2rem;font-size:1.2rem;", "large": "padding:1.4rem "
            "3rem;font-size:1.7rem;"}
        mark = self.icon(glyph) + "&nbsp;" if glyph else ""
        wide = "width:100%" if block else ""
        return (f'<button class="button {kind}" style="{css.get(size, "")}{wide}">{mark}{text}'
                f'</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        paint = {"success": "bg-success text-white", "danger": "bg-error text-white",
            "primary": "bg-primary text-white"}
        return f'<span class="tag is-small {paint.get(tone, "")}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f"<label>{label}</label>" if label else ""
        return (f'<p class="sx-p">{name}<input type="{kind}" value="{value}" placeholder="{hint}">'
                f'</p>')

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="sx-line"><input type="checkbox"{" checked" if checked else ""}>'
                f' {label}</label>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="sx-top">{picture}</div>' if picture else ""
        foot = f'<footer class="text-grey">{footer}</footer>' if footer else ""
        return (f'<div class="card{" sx-featured" if featured else ""}">{top}<div '
                f'class="sx-stack">{body}</div>{foot}'
                "</div>")

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        return (f'<table class="{"striped" if style == "striped" else ""}"><thead>{head}</thead>'
                f'<tbody>{rows}</tbody></table>')

    def quote(self, text: str) -> str:
        return f"<blockquote>{text}</blockquote>"

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<a class="{"active" if i == d["active"] else ""}" href="#" '
                        f'style="color:inherit">{label}</a>'
                        for i, label in enumerate(d["links"]))
        skin = "sx-filled" if d["filled"] else "sx-surface"
        brand = navigation.nav_brand(self, c).replace("sx-brand", "brand sx-line")
        return (f'<nav class="nav {skin}" style="padding:8px 20px;border-bottom:1px solid '
                f'var(--sx-line);flex-wrap:nowrap">'
                f'<div class="nav-left" style="flex:none">{brand}<div class="tabs" '
                f'style="flex-wrap:nowrap">{links}</div></div><div class="nav-right" '
                f'style="align-items:center;gap:10px;'
                f'overflow:visible">{navigation.nav_actions(self, c)}</div></nav>')

    def tabs(self, c: Component) -> str:
        links = "".join(f'<a class="{"active" if i == c.data["active"] else ""}">{label}</a>'
                        for i, label in enumerate(c.data["labels"]))
        full = " is-full" if c.data["style"] == "boxed" else ""
        return (f'<nav class="tabs{full}">{links}</nav><div style="padding:18px '
                f'6px">{navigation.tab_panel(self, c)}</div>')

    def accordion(self, c: Component) -> str:
        return "".join(
            f'<details class="card" '
            f'style="margin-bottom:10px"{" open" if i == c.data["open"] else ""}><summary>'
            f'{item["question"]}</summary><p class="sx-p" style="padding-top:8px">{item["answer"]}'
            f'</p></details>'
            for i, item in enumerate(c.data["items"]))

    def pagination(self, c: Component) -> str:
        words = ("Previous", "Next") if c.data["words"] and c.width > 400 else ("‹", "›")
        items = [self.button(words[0], "outline dark", "small")]
        for page in c.data["pages"]:
            tone = "primary" if page == c.data["current"] else "clear"
            items.append(self.button(str(page or "…"), tone, "small"))
        items.append(self.button(words[1], "outline dark", "small"))
        return f'<nav class="sx-line" style="gap:2px;flex-wrap:wrap">{"".join(items)}</nav>'


KITS: tuple[Kit, ...] = (Chota(),)
