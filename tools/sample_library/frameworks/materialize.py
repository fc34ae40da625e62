"""Materialize: Material Design 3 in CSS."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation

SIZES = {"small": " btn-small", "large": " btn-large", "normal": ""}
COLOURS = {"success": "#2e7d32", "danger": "#c62828", "warning": "#ef6c00", "info": "#0277bd",
           "neutral": "#757575", "primary": "var(--sx-accent)", "secondary": "#757575"}


class Materialize(Kit):
    name = "materialize"
    package = "@materializecss/materialize"
    css = ("@materializecss/materialize/dist/css/materialize.min.css",)
    icon_pack = "material"
    accent = "#006495"
    radius = "12px"
    fonts = ("Roboto",)
    look = ("#stage .card,#stage .row,#stage .collapsible,#stage .pagination,#stage "
            ".collection{margin:0}"
            "#stage .btn .sx-icon{vertical-align:-.2em}#stage h1,#stage h2,#stage h3,#stage "
            "h4{margin:0;"
            "line-height:1.2;font-weight:400}#stage h1{font-size:2.8rem}#stage "
            "h2{font-size:2.2rem}#stage "
            "h3{font-size:1.7rem}#stage .sx-tag{border-radius:8px;padding:3px "
            "10px;font-size:.75rem;color:#fff}"
            "#stage .input-field{margin:0}#stage .tabs{overflow:hidden;white-space:nowrap}"
            "#stage .collapsible-header::after,#stage .collapsible li::after{content:none}#stage "
            ".collapsible-body{padding:16px 20px}#stage .input-field input{width:100%}#stage .btn{"
            "justify-content:center}#stage .pagination li a{color:inherit}"
            "#stage nav li a{padding:0 12px;white-space:nowrap}#stage "
            ".breadcrumb::before{content:'›';font-family:inherit;"
            "color:inherit;margin:0 10px}#stage [type=checkbox]+span{font-size:1rem;"
            "padding-left:30px;line-height:22px;"
            "height:22px}#stage nav .btn{margin:0}#stage .modal{max-height:none}")

    def html_attributes(self, dark: bool) -> str:
        return f'theme="{"dark" if dark else "light"}"'

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#1a1c1e", "surface": "#22262a", "soft": "#2d3237", "line": "#42474e",
                    "muted": "#a6acb3", "text": "#e2e2e5"}
        return {"bg": "#fcfcff", "surface": "#f3f5fa", "soft": "#e9eef5", "line": "#c2c7cf",
                "muted": "#60666e", "text": "#1a1c1e"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f":root:root{{--md-sys-color-primary:{accent};--md-sys-color-on-primary:{on};"
                f"--md-sys-color-secondary-container:color-mix(in srgb,{accent} "
                f"24%,var(--sx-bg))}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": "filled", "secondary": "tonal", "outline": "outlined", "link": "text",
                "danger": "filled", "success": "filled"}.get(tone, "filled")
        paint = f"background:{COLOURS[tone]};color:#fff;" if tone in ("danger", "success") else ""
        wide = "width:100%;" if block else ""
        mark = self.icon(glyph, 1.2) + " " if glyph else ""
        return (f'<button class="btn {kind}{SIZES[size]}" style="{paint}{wide}">{mark}{text}'
                f'</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="sx-tag" style="background:{COLOURS[tone]}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        style = "outlined" if len(label) % 2 else ""
        return (f'<div class="input-field {style}"><input type="{kind}" value="{value}" '
                f'placeholder=" ">'
                f"<label>{label or hint}</label></div>")

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label><input type="checkbox" class="filled-in"{" checked" if checked else ""}>'
                f"<span>{label}</span></label>")

    def search(self, hint: str = "Search") -> str:
        return (f'<span class="sx-line" style="background:var(--sx-soft);color:var(--sx-text);'
                f'border-radius:99px;'
                f'padding:0 16px;height:36px;width:160px;line-height:36px;'
                f'font-size:14px">{self.icon("search")} '
                f"{hint}</span>")

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="card-image">{picture}</div>' if picture else ""
        foot = f'<div class="card-action sx-small">{footer}</div>' if footer else ""
        body = body.replace('class="sx-title"', 'class="card-title"')
        return (f'<div class="card{" sx-featured" if featured else ""}">{top}<div '
                f'class="card-content '
                f'sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": "striped", "hover": "highlight"}.get(style, "")
        for box in ('<input type="checkbox">',):
            new = '<label><input type="checkbox" class="filled-in"><span></span></label>'
            head, rows = head.replace(box, new), rows.replace(box, new)
        return f'<table class="{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def progress(self, value: int) -> str:
        return (f'<div class="progress" style="margin:0"><div class="determinate" '
                f'style="width:{value}%"></div></div>')

    def dialog(self, title: str, body: str, actions: str) -> str:
        actions = actions.replace("btn tonal", "btn text").replace("btn filled", "btn text")
        actions = actions.replace("color:#fff", "color:inherit").replace("background:", "x:")
        return (f'<div class="modal" style="display:block;position:static;width:100%;opacity:1;'
                f'border-radius:28px;'
                f'background:var(--sx-surface)"><div class="modal-content" style="padding:24px">'
                f'<h4 style='
                f'"font-size:1.6rem;margin-bottom:16px">{title}</h4><div class="sx-stack">{body}'
                f'</div></div><div '
                f'class="modal-footer" style="padding:0 24px 20px;text-align:right">{actions}'
                f'</div></div>')

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li class="{"active" if i == d["active"] else ""}"><a href="#">{label}'
                        f'</a></li>'
                        for i, label in enumerate(d["links"]))
        skin = "background:var(--sx-accent);color:var(--sx-on)" if d["filled"] else \
            "background:var(--sx-surface);color:var(--sx-text)"
        ink = ' style="color:inherit"'
        return (f'<nav style="height:64px"><div class="nav-wrapper sx-line" style="{skin};'
                f'padding:0 24px;height:64px">'
                f'<a href="#" class="sx-brand"{ink}>{self.logo(d["logo"]) if c.icons else ""}'
                f' {d["brand"]}</a><ul '
                f'class="sx-line" style="gap:0">{links.replace("<a ", f"<a{ink} ")}</ul><div '
                f'class="sx-line sx-end">'
                f"{navigation.nav_actions(self, c)}</div></div></nav>")

    def tabs(self, c: Component) -> str:
        chosen = "border-bottom:3px solid var(--sx-accent);color:var(--sx-accent)"
        links = "".join(
            f'<li class="tab" style="flex:1"><a href="#" '
            f'class="{"active" if i == c.data["active"] else ""}" style='
            f'"{chosen if i == c.data["active"] else ""}">'
            f"{label}</a></li>" for i, label in enumerate(c.data["labels"]))
        return (f'<ul class="tabs" style="display:flex">{links}</ul><div style="padding:20px">'
                f"{navigation.tab_panel(self, c)}</div>")

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = ('<div class="collapsible-body" style="display:block;max-height:none;visibility:'
                    f'visible;opacity:1"><span>{item["answer"]}</span></div>') if on else ""
            glyph = self.icon("help", 1.4) if c.icons else ""
            parts.append(f'<li class="{"active" if on else ""}"><div class="collapsible-header '
                         f'sx-line">{glyph}'
                         f'{item["question"]}<span '
                         f'class="sx-end">{self.icon("up" if on else "down", 1.3)}</span></div>'
                         f"{body}</li>")
        return f'<ul class="collapsible">{"".join(parts)}</ul>'

    def pagination(self, c: Component) -> str:
        items = [f'<li class="disabled"><a href="#">{self.icon("left", 1.4)}</a></li>']
        for page in c.data["pages"]:
            state = "active" if page == c.data["current"] else "waves-effect"
            items.append(f'<li class="{state}"><a href="#">{page or "…"}</a></li>')
        items.append(f'<li class="waves-effect"><a href="#">{self.icon("right", 1.4)}</a></li>')
        return f'<ul class="pagination">{"".join(items)}</ul>'

    def breadcrumb(self, c: Component) -> str:
        if c.variant % 2:
            return navigation.breadcrumb(self, c)
        items = "".join(f'<a href="#" class="breadcrumb" style="color:inherit">{label}</a>'
                        for label in c.data["trail"])
        skin = "background:var(--sx-accent);color:var(--sx-on)" if c.variant % 4 else ""
        return ('<nav style="height:56px;line-height:56px"><div class="nav-wrapper" '
                f'style="{skin};padding:0 20px">{items}</div></nav>')

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            on = ("background:color-mix(in srgb,var(--sx-accent) 22%,transparent);"
                  "color:var(--sx-text)") \
                if i == c.data["active"] else "color:inherit"
            glyph = self.icon(link["icon"], 1.4) if c.icons else ""
            badge = f'<span class="sx-end">{link["badge"]}</span>' if link["badge"] else ""
            items.append(f'<a href="#" class="sx-line" style="border-radius:99px;padding:12px '
                         f'20px;gap:14px;'
                         f'font-weight:500;font-size:.92rem;{on}">{glyph}{link["label"]}{badge}'
                         f'</a>')
        return navigation.sidebar_frame(self, c, "".join(items))


KITS: tuple[Kit, ...] = (Materialize(),)
