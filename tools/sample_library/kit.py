"""A framework's parts (button, field, card, ...) and, where it has them, its own components.

The methods here are the neutral fallbacks; a framework module overrides them with its classes.
"""

import colorsys
from collections.abc import Mapping
from typing import Any, ClassVar

from tools.sample_library import templates
from tools.sample_library.content import Component
from tools.sample_library.icons import LOGOS, icon
from tools.sample_library.pictures import picture_url

FONTS = ("Inter", "Roboto", "Lato", "Source Sans 3", "IBM Plex Sans", "Nunito")
LIGHT_TOKENS = {"bg": "#fff", "surface": "#fff", "soft": "#f3f4f6", "line": "#d9dde3",
                "muted": "#6b7280", "text": "#1f2937"}
DARK_TOKENS = {"bg": "#171a21", "surface": "#20242d", "soft": "#2b303b", "line": "#3a404d",
               "muted": "#9aa3b2", "text": "#e6e9ef"}


def on_colour(colour: str) -> str:
    """Black or white, whichever reads better on a `#rrggbb` colour."""
    return "#fff" if _luma(colour) < 165 else "#111"


def _luma(colour: str) -> float:
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return red * .299 + green * .587 + blue * .114


def lightened(colour: str, target: int = 118) -> str:
    """A dark `#rrggbb` colour made lighter, in its own hue, until it stands out on a dark page."""
    hue, light, full = colorsys.rgb_to_hls(*(int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)))
    while _luma(colour) < target and light < 0.9:
        light += 0.02
        parts = colorsys.hls_to_rgb(hue, light, full)
        colour = "#" + "".join(f"{round(part * 255):02x}" for part in parts)
    return colour


class Kit:
    """One framework: where its CSS is, how themes and accents are set, and its templates."""

    name: ClassVar[str] = "neutral"
    package: ClassVar[str] = ""
    css: ClassVar[tuple[str, ...]] = ()
    icon_pack: ClassVar[str] = "lucide"
    fonts: ClassVar[tuple[str, ...]] = ()  # Empty keeps the framework's own font.
    accent: ClassVar[str] = "#2563eb"
    radius: ClassVar[str] = "6px"
    look: ClassVar[str] = ""  # CSS the framework's page always has (skins, fixes).
    own_dark: ClassVar[bool] = True
    tones: ClassVar[Mapping[str, str]] = {}

    # The page -------------------------------------------------------------------------------
    def sheets(self, dark: bool) -> tuple[str, ...]:
        return self.css

    def html_attributes(self, dark: bool) -> str:
        return ""

    def body_class(self, dark: bool) -> str:
        return ""

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return DARK_TOKENS if dark else LIGHT_TOKENS

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        """CSS that makes `accent` the framework's primary colour."""
        return ""

    def look_css(self, c: Component) -> str:
        """Everything of one component's look that is not markup."""
        accent = self.brand(c)
        tokens = {**self.tokens(c.dark), "accent": accent, "on": on_colour(accent),
                  "radius": self.radius}
        css = ":root{" + "".join(f"--sx-{k}:{v};" for k, v in tokens.items()) + "}"
        css += "body{background:var(--sx-bg);color:var(--sx-text)}"
        if c.accent or (c.dark and not self.own_dark):
            css += self.accent_css(accent, on_colour(accent), c.dark)
        if self.fonts:
            font = self.fonts[c.font % len(self.fonts)]
            css += (f"body,#stage h1,#stage h2,#stage h3,#stage h4,#stage h5,#stage button,#stage "
                    f"input"
                    f"{{font-family:'{font}',sans-serif}}")
        return css

    def brand(self, c: Component) -> str:
        """The accent colour in force, light enough to be read where the page is dark."""
        accent = c.accent or self.accent
        return lightened(accent) if c.dark else accent

    # Small parts ----------------------------------------------------------------------------
    def tone(self, tone: str) -> str:
        return self.tones.get(tone, tone)

    def icon(self, name: str, size: float = 1) -> str:
        return icon(self.icon_pack, name, size)

    def logo(self, number: int, size: float = 1.3) -> str:
        return self.icon(LOGOS[number % len(LOGOS)], size)

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        raise NotImplementedError

    def badge(self, text: str, tone: str = "primary") -> str:
        raise NotImplementedError

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        raise NotImplementedError

    def search(self, hint: str = "Search") -> str:
        return f'<input type="search" placeholder="{hint}" style="width:150px;margin:0">'

    def check(self, label: str, checked: bool = True) -> str:
        mark = " checked" if checked else ""
        return f'<label class="sx-line"><input type="checkbox"{mark}> {label}</label>'

    def heading(self, text: str, level: int = 2) -> str:
        return f'<h{level} class="sx-h">{text}</h{level}>'

    def link(self, text: str) -> str:
        return f'<a href="#">{text}</a>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        """A surface with optional picture on top, header and footer."""
        ring = " sx-featured" if featured else ""
        head = f'<div class="sx-pad sx-soft">{header}</div>' if header else ""
        foot = f'<div class="sx-pad sx-soft sx-small">{footer}</div>' if footer else ""
        return (f'<div class="sx-panel{ring}">{picture}{head}<div class="sx-pad sx-stack">{body}'
                f'</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def progress(self, value: int) -> str:
        return f'<div class="sx-bar"><i style="width:{value}%"></i></div>'

    def quote(self, text: str) -> str:
        return f'<p class="sx-quote">“{text}”</p>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        """The dialog box itself, static; the backdrop is drawn around it."""
        return self.card(f'<h3 class="sx-h">{title}</h3>{body}'
                         f'<div class="sx-line" style="justify-content:flex-end">{actions}</div>')

    # Pictures -------------------------------------------------------------------------------
    def picture(self, c: Component, seed: int, width: int, height: int, style: str = "",
                css: str = "") -> str:
        url = picture_url(style or c.business.scene, seed, c.colour, width, height)
        return (f'<img class="sx-img" alt="" src="{url}" '
                f'style="aspect-ratio:{width}/{height};{css}">')

    def avatar(self, c: Component, who: Mapping[str, Any], size: int = 48) -> str:
        if not c.pictures:
            return (f'<span class="sx-initials" style="width:{size}px;height:{size}px;'
                    f'font-size:{size * .36:.0f}px">{who["initials"]}</span>')
        url = picture_url("face", who["picture"], c.colour, 200, 200)
        return f'<img class="sx-face" alt="" src="{url}" width="{size}" height="{size}" ' \
               f'style="width:{size}px;height:{size}px">'

    def stars(self, count: int) -> str:
        return f'<span class="sx-stars">{icon("bootstrap", "star") * count}</span>'

    # Whole components -----------------------------------------------------------------------
    def render(self, c: Component) -> str:
        """The component's markup: the framework's own template, or the shared one."""
        # `card` is a part of many kinds; the kind of that name has a method of its own.
        method = "product_card" if c.kind == "card" else c.kind.replace("-", "_")
        own = getattr(self, method, None)
        return own(c) if own else templates.TEMPLATES[c.kind](self, c)

    def padding(self, c: Component) -> int:
        """The space around the component on the stage, in pixels."""
        if c.kind in ("navbar", "footer", "hero", "modal", "sidebar"):
            return 0
        return (12, 16, 24, 32)[c.variant % 4]
