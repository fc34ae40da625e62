"""Water.css, which styles plain HTML without classes."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.frameworks.milligram import Milligram
from tools.sample_library.frameworks.pico import Pico
from tools.sample_library.kit import Kit
from tools.sample_library.templates import controls


class Water(Pico):
    """Water.css: no classes at all; light and dark are two builds."""

    name = "water"
    package = "water.css"
    css = ("water.css/out/light.min.css",)
    accent = "#0076d1"
    radius = "6px"
    fonts = ()
    look = Pico.look.replace("#stage article{margin:0}", "") + (
        "body{max-width:none;padding:0;font-family:'Source Sans 3',sans-serif}#stage "
        "button{margin:0}"
        "#stage input{width:100%;margin:0}#stage input[type=checkbox]{width:auto}"
        "#stage table{margin:0;table-layout:auto}#stage details{margin-bottom:8px}"
        "#stage nav ul{list-style:none;padding:0;display:flex;gap:20px;margin:10px 0;"
        "align-items:center}#stage nav:has(ul){display:flex;justify-content:space-between}"
        "#stage button:not(.plain-button){background:var(--button-base)}"
        "#stage button.primary{background:var(--sx-accent);color:var(--sx-on)}"
        "#stage blockquote{margin:0}")

    def sheets(self, dark: bool) -> tuple[str, ...]:
        return (f"water.css/out/{'dark' if dark else 'light'}.min.css",)

    def html_attributes(self, dark: bool) -> str:
        return ""

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {"bg": "var(--background-body)", "surface": "var(--background-alt)",
                "soft": "var(--background-alt)", "line": "var(--border)",
                "muted": "var(--text-muted)", "text": "var(--text-main)"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        link = f"color-mix(in srgb,{accent} 60%,#fff)" if dark else accent
        return f":root:root{{--links:{link};--focus:{accent}}}"

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = "primary" if tone in ("primary", "danger", "success") else tone
        pad = {"small": "padding:5px 10px;font-size:.85em;", "large": "padding:14px 34px;"}
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="{kind}" style="{pad.get(size, "")}{"width:100%" if block else ""}'
                f'">'
                f"{mark}{text}</button>")

    card = Kit.card
    dialog = Kit.dialog
    check = Milligram.check
    breadcrumb = None  # type: ignore[assignment]
    tabs = None  # type: ignore[assignment]
    sidebar = None  # type: ignore[assignment]

    def button_group(self, c: Component) -> str:
        return controls.button_group(self, c)

    def accordion(self, c: Component) -> str:
        return "".join(
            f'<details{" open" if i == c.data["open"] else ""}><summary>{item["question"]}'
            f'</summary>'
            f'<p class="sx-p">{item["answer"]}</p></details>'
            for i, item in enumerate(c.data["items"]))


KITS: tuple[Kit, ...] = (Water(),)
