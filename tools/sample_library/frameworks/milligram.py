"""Milligram."""


from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation


class Milligram(Kit):
    name = "milligram"
    package = "milligram"
    css = ("milligram/dist/milligram.min.css",)
    accent = "#9b4dca"
    radius = "4px"
    own_dark = False
    fonts = ("Roboto",)
    look = ("#stage{font-weight:300;letter-spacing:.01em}#stage input:not([type=checkbox]),#stage "
            "button,#stage p,#stage table,#stage blockquote,#stage ul{margin-bottom:0}"
            "#stage .button-danger{background:#c0392b;border-color:#c0392b}"
            "#stage .button-small{font-size:.8rem;height:2.8rem;line-height:2.8rem;padding:0 "
            "1.5rem}"
            "#stage .button-large{font-size:1.4rem;height:4.5rem;line-height:4.5rem;padding:0 "
            "2.2rem}"
            "#stage input{color:inherit}#stage th,#stage td{border-color:var(--sx-line)}"
            ".sx-tag{border:1px solid currentColor;border-radius:3px;padding:1px "
            "7px;font-size:.75em;"
            "font-weight:600}.t-primary{color:var(--sx-accent)}.t-success{color:#1e9e55}.t-danger{"
            "color:#c0392b}.t-warning{color:#b9770e}.t-info{color:#2476b8}")

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .button:not(.button-outline):not(.button-clear):not(.button-danger){{"
                f"background:{accent};border-color:{accent};color:{on}}}#stage .button-outline,"
                f"#stage .button-clear,#stage a{{color:{accent}}}#stage "
                f".button-outline{{border-color:"
                f"{accent}}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage blockquote,#stage pre{background:var(--sx-soft)}#stage input{border-color:"
                "#4a5160}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"secondary": " button-outline", "outline": " button-outline",
            "link": " button-clear",
                "danger": " button-danger"}.get(tone, "")
        mark = self.icon(glyph) + " " if glyph else ""
        big = "" if size == "normal" else f" button-{size}"
        wide = ' style="width:100%"' if block else ""
        return f'<button class="button{kind}{big}"{wide}>{mark}{text}</button>'

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="sx-tag t-{tone}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f"<label>{label}</label>" if label else ""
        return f'<div>{name}<input type="{kind}" value="{value}" placeholder="{hint}"></div>'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="sx-line" style="margin:0;font-weight:400"><input type="checkbox" '
                f'style="margin:0"{" checked" if checked else ""}> {label}</label>')

    def pagination(self, c: Component) -> str:
        return navigation.pagination(self, c).replace(
            'class="button', 'style="padding:0 1.1rem;height:3.2rem;line-height:3.2rem" '
                             'class="button')

    def quote(self, text: str) -> str:
        return f'<blockquote style="margin-top:0"><p><em>{text}</em></p></blockquote>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        made = super().card(body, picture=picture, footer=footer, header=header, featured=featured)
        return made.replace("sx-panel", "sx-panel sx-flat")


KITS: tuple[Kit, ...] = (Milligram(),)
