"""Pure.css."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import DARK_TOKENS, LIGHT_TOKENS, Kit
from tools.sample_library.templates import controls, navigation


class Pure(Kit):
    name = "pure"
    package = "purecss"
    css = ("purecss/build/pure-min.css",)
    accent = "#0078e7"
    radius = "3px"
    own_dark = False
    fonts = ("Lato", "IBM Plex Sans", "Source Sans 3")
    look = ("#stage .button-danger{background:#ca3c3c;color:#fff}#stage .button-success{background:"
            "#1cb841;color:#fff}#stage .button-outline{background:transparent;"
            "color:var(--sx-accent);"
            "box-shadow:inset 0 0 0 1px var(--sx-accent)}#stage .pure-table{width:100%}"
            "#stage .pure-form input{margin:0}#stage .pure-form label{margin:0 0 4px}"
            "#stage .button-small{font-size:85%}#stage .button-large{font-size:125%}"
            "#stage .pure-menu-link{color:inherit}#stage .pure-menu-selected>.pure-menu-link{"
            "background:var(--sx-accent);color:var(--sx-on)}"
            ".sx-tag{border-radius:2px;padding:3px 8px;font-size:.72em;background:#5b6470;"
            "color:#fff}"
            ".t-primary{background:var(--sx-accent);color:var(--sx-on)}"
            ".t-success{background:#1cb841}"
            ".t-danger{background:#ca3c3c}.t-warning{background:#df7514}.t-info{background:#42b8dd}"
            "#stage .pure-menu-heading{color:inherit}")

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {**(DARK_TOKENS if dark else LIGHT_TOKENS), "soft": "#2a2f39" if dark else "#ececec"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .pure-button-primary,#stage .pure-menu-selected>"
                f".pure-menu-link{{background:"
                f"{accent};color:{on}}}#stage a:not([class]){{color:{accent}}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage .pure-button:not(.pure-button-primary):not(.button-outline)"
                ":not(.button-danger):not(.button-success){background:#3a404d;color:#e6e9ef}"
                "#stage .pure-table,#stage "
                ".pure-table td,#stage .pure-table th{border-color:#3a404d}#stage .pure-table "
                "thead{"
                "background:#2b303b;color:#fff}#stage .pure-table-odd td{background:#222731}"
                "#stage .pure-form input{background:#14171d;border-color:#3a404d;box-shadow:none}"
                "#stage a:not([class]){color:#8ab8ff}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": " pure-button-primary", "secondary": "", "outline": " button-outline",
                "link": "", "danger": " button-danger", "success": " button-success"}.get(tone, "")
        mark = self.icon(glyph) + " " if glyph else ""
        wide = ' style="width:100%"' if block else ""
        return f'<button class="pure-button{kind} button-{size}"{wide}>{mark}{text}</button>'

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="sx-tag t-{tone}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f"<label>{label}</label>" if label else ""
        return (f'<div class="pure-form pure-form-stacked">{name}<input class="pure-input-1" '
                f'type="{kind}"'
                f' value="{value}" placeholder="{hint}"></div>')

    def search(self, hint: str = "Search") -> str:
        return f'<span class="pure-form"><input placeholder="{hint}" style="width:150px"></span>'

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"bordered": " pure-table-bordered", "plain": " pure-table-horizontal",
                "hover": " pure-table-horizontal"}.get(style, "")
        parts = rows.split("<tr>")
        if style == "striped":
            rows = parts[0] + "".join(f'<tr class="{"pure-table-odd" if i % 2 else ""}">{row}'
                                      for i, row in enumerate(parts[1:]))
        return f'<table class="pure-table{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def button_group(self, c: Component) -> str:
        buttons = "".join(controls.group_buttons(self, c))
        return f'<div class="pure-button-group">{buttons}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li class="pure-menu-item{_selected(i == d["active"])}">'
                        f'<a class="pure-menu-link" href="#">{label}</a></li>'
                        for i, label in enumerate(d["links"]))
        skin = "sx-filled" if d["filled"] else "sx-soft"
        return (f'<div class="{skin} sx-line" style="padding:6px 20px"><span '
                f'class="pure-menu-heading">'
                f'{navigation.nav_brand(self, c)}</span><div class="pure-menu '
                f'pure-menu-horizontal" '
                f'style='
                f'"width:auto"><ul class="pure-menu-list">{links}</ul></div><div class="sx-line '
                f'sx-end">'
                f"{navigation.nav_actions(self, c)}</div></div>")

    def tabs(self, c: Component) -> str:
        links = "".join(f'<li class="pure-menu-item{_selected(i == c.data["active"])}">'
                        f'<a class="pure-menu-link" href="#">{label}</a></li>'
                        for i, label in enumerate(c.data["labels"]))
        return (f'<div class="pure-menu pure-menu-horizontal sx-soft"><ul '
                f'class="pure-menu-list">{links}'
                f'</ul></div><div style="padding:18px 12px">{navigation.tab_panel(self, c)}</div>')


def _selected(on: bool) -> str:
    return " pure-menu-selected" if on else ""


KITS: tuple[Kit, ...] = (Pure(),)
