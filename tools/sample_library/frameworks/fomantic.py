"""Fomantic-UI (Semantic UI)."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation, showcase
from tools.sample_library.vocabulary import BUTTON_ICONS

COLOURS = {"success": "green", "danger": "red", "warning": "yellow", "info": "teal",
           "neutral": "", "secondary": "", "primary": "primary"}
MESSAGE = {"success": "positive", "danger": "negative", "warning": "warning", "info": "info"}
SIZES = {"small": "small ", "large": "large ", "normal": ""}


class Fomantic(Kit):
    name = "fomantic"
    package = "fomantic-ui-css"
    css = ("fomantic-ui-css/semantic.min.css",)
    icon_pack = "bootstrap"
    accent = "#2185d0"
    radius = "4px"
    fonts = ("Lato",)
    look = ("#stage .ui.cards,#stage .ui.card,#stage .ui.menu,#stage .ui.message,#stage "
            ".ui.table,#stage "
            ".ui.tabular{margin:0}#stage .ui.card{width:100%}#stage .ui.message{display:block}"
            "#stage .ui.form .field{margin:0}#stage .ui.modal>.actions{padding:16px;"
            "display:flow-root}#stage "
            ".ui.modal{animation:none}#stage h1.ui,#stage h2.ui,"
            "#stage h3.ui{margin:0}#stage .ui.progress{margin:0}")
    _dark = False

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#1b1c1d", "surface": "#232425", "soft": "#2c2d2e", "line": "#444546",
                    "muted": "#a9a9aa", "text": "rgba(255,255,255,.9)"}
        return {"bg": "#fff", "surface": "#fff", "soft": "#f3f4f5", "line": "#d4d4d5",
                "muted": "rgba(0,0,0,.55)", "text": "rgba(0,0,0,.87)"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .ui.primary.button:not(.basic),#stage .ui.primary.label,#stage "
                f".ui.primary.button"
                f":not(.basic) .icon,#stage .ui.progress .bar{{background:{accent};color:{on}}}"
                f"#stage "
                f".ui.basic.primary.button{{color:{accent}!important;box-shadow:0 0 0 1px {accent}"
                f" inset"
                f"!important}}#stage a:not([class]),#stage .ui.secondary.pointing.menu "
                f".active.item{{color:"
                f"{accent};border-color:{accent}}}")

    def render(self, c: Component) -> str:
        """Semantic marks dark parts with `inverted`, one by one: put it on every `ui` element."""
        html = super().render(c)
        if not c.dark:
            return html
        return html.replace('class="ui ', 'class="ui inverted ')

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "basic primary", "link": "tertiary", "secondary": ""}.get(
            tone, COLOURS.get(tone, tone))
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="ui {SIZES[size]}{kind} {"fluid " if block else ""}button" '
                f'style="margin:0">{mark}{text}</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="ui {COLOURS.get(tone, "")} label">{text}</span>'

    def heading(self, text: str, level: int = 2) -> str:
        return f'<h{level} class="ui header">{text}</h{level}>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f"<label>{label}</label>" if label else ""
        return (f'<div class="ui form"><div class="field">{name}<input type="{kind}" '
                f'value="{value}" '
                f'placeholder="{hint}"></div></div>')

    def search(self, hint: str = "Search") -> str:
        return (f'<div class="ui icon input"><input placeholder="{hint}" style="width:150px"><i '
                f'class="icon">'
                f'{self.icon("search")}</i></div>')

    def check(self, label: str, checked: bool = True) -> str:
        mark = " checked" if checked else ""
        return f'<div class="ui checkbox"><input type="checkbox"{mark}><label>{label}</label></div>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="image">{picture}</div>' if picture else ""
        foot = f'<div class="extra content">{footer}</div>' if footer else ""
        body = body.replace('class="sx-title"', 'class="header" style="font-size:1.28em;'
                                                'font-weight:700"')
        ring = "primary raised " if featured else ""
        return (f'<div class="ui {ring}card">{top}<div class="content"><div '
                f'class="sx-stack">{body}</div>'
                f"</div>{foot}</div>")

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": "striped ", "bordered": "celled ", "hover": "selectable ",
                "plain": "very basic "}[style] + ("compact " if compact else "")
        return (f'<table class="ui unstackable {kind}table"><thead>{head}</thead><tbody>{rows}'
                f'</tbody></table>')

    def progress(self, value: int) -> str:
        return (f'<div class="ui tiny primary progress"><div class="bar" style="width:{value}%;'
                f'min-width:0">'
                "</div></div>")

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="ui modal visible active" style="display:block!important;'
                f'position:static;width:'
                f'100%;margin:0"><div class="header">{title}</div><div class="content '
                f'sx-stack">{body}</div>'
                f'<div class="actions">{actions}</div></div>')

    def button_group(self, c: Component) -> str:
        buttons = []
        for i, label in enumerate(c.data["labels"]):
            name = BUTTON_ICONS.get(label)
            mark = self.icon(name) + " " if c.icons and name else ""
            tone = {"primary": "primary", "outline": "basic primary", "joined": "",
                "mixed": "basic"}
            on = "active " if i == c.data["active"] else ""
            if c.data["style"] == "mixed" and i == c.data["active"]:
                buttons.append(f'<button class="ui primary button">{mark}{label}</button>')
            else:
                buttons.append(f'<button class="ui {on}{tone[c.data["style"]]} button">{mark}'
                               f'{label}</button>')
            if c.data["style"] == "primary" and len(c.data["labels"]) == 2 and i == 0:
                buttons.append('<div class="or"></div>')
        return f'<div class="ui {SIZES[c.data["size"]]}buttons">{"".join(buttons)}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<a class="{"active " if i == d["active"] else ""}item">{label}</a>'
                        for i, label in enumerate(d["links"]))
        skin = "inverted " if d["filled"] else ""
        kind = "secondary pointing " if c.variant % 3 == 0 and not d["filled"] else ""
        brand = navigation.nav_brand(self, c).replace("sx-brand", "header item sx-line")
        tint = (' style="border-radius:0;padding:0 '
                '16px;background:var(--sx-accent)"') if d["filled"] else \
            ' style="border-radius:0;padding:0 16px"'
        return (f'<div class="ui {skin}{kind}menu"{tint}>{brand}{links}<div class="right '
                f'menu"><div class='
                f'"item sx-line">{navigation.nav_actions(self, c)}</div></div></div>')

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            close = (f'<i class="close" style="float:right">{self.icon("close")}'
                     f'</i>') if c.data["close"] else ""
            title = f'<div class="header">{item["title"]}</div>' if c.data["titled"] else ""
            glyph = self.icon(item["tone"], 1.1) + " " if c.icons else ""
            parts.append(f'<div class="ui {MESSAGE[item["tone"]]} message">{close}{title}<p '
                         f'class="sx-p">'
                         f'{glyph}{item["text"]}</p></div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        kind = {"tabs": "top attached tabular", "pills": "secondary", "boxed": "secondary pointing"}
        links = "".join(f'<a class="{"active " if i == c.data["active"] else ""}item">{label}</a>'
                        for i, label in enumerate(c.data["labels"]))
        attached = "bottom attached " if c.data["style"] == "tabs" else ""
        return (f'<div class="ui {kind[c.data["style"]]} menu">{links}</div><div '
                f'class="ui {attached}segment" '
                f'style="margin-bottom:0">{navigation.tab_panel(self, c)}</div>')

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = "active " if i == c.data["open"] else ""
            glyph = self.icon("down" if on else "right", .8)
            body = (f'<div class="active content" style="display:block"><p>{item["answer"]}</p>'
                    f'</div>') if on \
                else ""
            parts.append(f'<div class="{on}title">{glyph} {item["question"]}</div>{body}')
        return f'<div class="ui styled fluid accordion">{"".join(parts)}</div>'

    def pagination(self, c: Component) -> str:
        items = [f'<a class="item">{"Previous" if c.data["words"] else self.icon("left")}</a>']
        for page in c.data["pages"]:
            state = "active " if page == c.data["current"] else "disabled " if page is None else ""
            items.append(f'<a class="{state}item">{page or "..."}</a>')
        items.append(f'<a class="item">{"Next" if c.data["words"] else self.icon("right")}</a>')
        size = {"small": "mini ", "large": "large ", "normal": ""}[c.data["size"]]
        return f'<div class="ui {size}pagination menu">{"".join(items)}</div>'

    def breadcrumb(self, c: Component) -> str:
        mark = f'<span class="divider">{"/" if c.variant % 2 else self.icon("right", .8)}</span>'
        parts = [f'<a class="section">{label}</a>' for label in c.data["trail"][:-1]]
        if c.data["home_icon"]:
            parts[0] = f'<a class="section">{self.icon("home")}</a>'
        parts.append(f'<div class="active section">{c.data["trail"][-1]}</div>')
        size = ("", "large ", "big ")[c.variant % 3]
        return (f'<div class="ui {size}breadcrumb">{mark.join(parts)}'
                f'</div>') + navigation.breadcrumb_title(self, c)

    def stats(self, c: Component) -> str:
        if c.variant % 2:
            return showcase.stats(self, c)
        items = []
        for item in c.data["items"]:
            glyph = self.icon(item["icon"], .7) + " " if c.icons else ""
            items.append(f'<div class="statistic"><div class="value">{glyph}{item["value"]}</div>'
                         f'<div '
                         f'class="label">{item["label"]}</div></div>')
        return (f'<div class="ui {("tiny", "small")[c.width > 700]} statistics" '
                f'style="justify-content:'
                f'space-around;margin:0;flex-wrap:nowrap">{"".join(items)}</div>')

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"]) + "&nbsp; " if c.icons else ""
            badge = f'<div class="ui small label">{link["badge"]}</div>' if link["badge"] else ""
            on = "active " if i == c.data["active"] else ""
            items.append(f'<a class="{on}item">{badge}{glyph}{link["label"]}</a>')
        kind = "secondary " if c.variant % 2 else ""
        return navigation.sidebar_frame(self, c, f'<div class="ui {kind}vertical fluid '
                                              f'menu">{"".join(items)}</div>')

    def product_card(self, c: Component) -> str:
        return showcase.card(self, c)


KITS: tuple[Kit, ...] = (Fomantic(),)
