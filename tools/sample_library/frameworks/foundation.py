"""Foundation for Sites 6."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import DARK_TOKENS, Kit
from tools.sample_library.templates import navigation
from tools.sample_library.vocabulary import BUTTON_ICONS

SIZES = {"small": " small", "large": " large", "normal": ""}
TONES = {"danger": "alert", "info": "primary", "neutral": "secondary"}


class Foundation(Kit):
    name = "foundation"
    package = "foundation-sites"
    css = ("foundation-sites/dist/css/foundation.min.css",)
    icon_pack = "lucide"
    accent = "#1779ba"
    radius = "0px"
    own_dark = False
    fonts = ("Source Sans 3", "Lato", "Roboto")
    tones = TONES
    look = ("#stage .button,#stage input:not([type=checkbox]),#stage table,#stage .card,#stage "
            ".callout,"
            "#stage .button-group,#stage .pagination,#stage .breadcrumbs,#stage ul.menu,#stage "
            ".progress,"
            "#stage .accordion,#stage blockquote{margin-bottom:0}#stage .pagination "
            "li{display:inline-block}"
            "#stage .badge{width:auto;min-width:2.1em;border-radius:1em}"
            "#stage .top-bar .button{white-space:nowrap}")

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {**DARK_TOKENS, "bg": "#1b1b1e", "surface": "#252529", "soft": "#2e2e33"}
        return {"bg": "#fefefe", "surface": "#fefefe", "soft": "#e6e6e6", "line": "#cacaca",
                "muted": "#8a8a8a", "text": "#0a0a0a"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .button:not(.hollow):not(.clear):not(.secondary):not(.alert):not("
                f".success),"
                f"#stage .label.primary,#stage .badge.primary,#stage .pagination .current,#stage "
                f".menu .is-active>a,#stage .progress-meter{{background:{accent};color:{on}}}"
                f"#stage .button.hollow:not(.secondary){{border-color:{accent};color:{accent}}}"
                f"#stage a:not(.button,.sx-plain),#stage .tabs-title>a,#stage "
                f".accordion-title{{color:{accent}}}"
                f"#stage .menu .is-active>a{{color:{on}}}#stage .sx-plain{{color:inherit}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage .card,#stage .reveal,#stage .tabs,#stage .tabs-content,#stage "
                ".accordion-title,"
                "#stage .accordion-content,#stage .callout:not(.x),#stage "
                ".accordion{background:#252529;"
                "color:#e6e9ef;border-color:#44444b}#stage .card-divider,#stage .top-bar,#stage "
                ".top-bar ul,"
                "#stage .tabs-title>a[aria-selected=true]{background:#2e2e33}#stage "
                "input:not([type="
                "checkbox]){background:#18181b;color:#eee;border-color:#55555e}#stage "
                "label{color:#e6e9ef}"
                "#stage thead,#stage tbody,#stage tfoot{background:#252529;color:#e6e9ef;"
                "border-color:#3a3a41}"
                "#stage tbody tr:nth-child(even){background:#2e2e33}#stage .pagination "
                "a{color:#ddd}"
                "#stage .callout.x,#stage .breadcrumbs li{color:#f0f0f0}#stage "
                ".callout.primary{background:#17324a}#stage .callout.success{background:#173a26}"
                "#stage .callout.warning{background:#42340f}#stage "
                ".callout.alert{background:#45201c}"
                "#stage .button.secondary{background:#4d5159}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": "", "outline": " hollow", "link": " clear"}.get(tone,
            " " + self.tone(tone))
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="button{kind}{SIZES[size]}{" expanded" if block else ""}">{mark}'
                f'{text}'
                "</button>")

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="label {self.tone(tone)}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        return f'<label>{label}<input type="{kind}" value="{value}" placeholder="{hint}"></label>'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="sx-line"><input type="checkbox" style="margin:0"'
                f'{" checked" if checked else ""}> {label}</label>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        foot = f'<div class="card-divider sx-small">{footer}</div>' if footer else ""
        return (f'<div class="card{" sx-featured" if featured else ""}">{picture}<div '
                f'class="card-section sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"plain": "unstriped", "hover": "hover"}.get(style, "")
        return f'<table class="{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def progress(self, value: int) -> str:
        return (f'<div class="progress" style="height:10px"><div class="progress-meter" '
                f'style="width:{value}%"></div></div>')

    def quote(self, text: str) -> str:
        return f"<blockquote>“{text}”</blockquote>"

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="reveal" style="display:block;position:relative;top:0;min-height:0;'
                f'width:100%;'
                f'margin:0"><h4>{title}</h4><div class="sx-stack">{body}<div '
                f'class="sx-line">{actions}</div>'
                '</div><button class="close-button">&times;</button></div>')

    def button_group(self, c: Component) -> str:
        style = {"joined": " secondary", "outline": " hollow"}.get(c.data["style"], "")
        buttons = []
        for i, label in enumerate(c.data["labels"]):
            name = BUTTON_ICONS.get(label)
            mark = self.icon(name) + " " if c.icons and name else ""
            kind = "" if i == c.data["active"] else style
            if c.data["style"] == "mixed":
                kind = ("", " success", " warning", " alert", " secondary")[i % 5]
            buttons.append(f'<a class="button{kind}">{mark}{label}</a>')
        return f'<div class="button-group{SIZES[c.data["size"]]}">{"".join(buttons)}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li class="{"is-active" if i == d["active"] else ""}"><a '
                        f'href="#">{label}</a></li>'
                        for i, label in enumerate(d["links"]))
        ink = "color:var(--sx-on)" if d["filled"] else ""
        skin = "background:var(--sx-accent)" if d["filled"] else ""
        if d["filled"]:
            links = links.replace("<a ", '<a style="color:var(--sx-on)" ')
        return (f'<div class="top-bar" style="{skin};padding:8px 20px;flex-wrap:nowrap"><div '
                f'class="top-bar-left"><ul '
                f'class="menu" style="background:none;{ink}"><li '
                f'class="menu-text">{navigation.nav_brand(self, c)}'
                f'</li>{links}</ul></div><div class="top-bar-right sx-line" '
                f'style="flex:none">{navigation.nav_actions(self, c)}'
                "</div></div>")

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            title = f"<h5>{item['title']}</h5>" if c.data["titled"] else ""
            close = '<button class="close-button">&times;</button>' if c.data["close"] else ""
            glyph = self.icon(item["tone"]) + " " if c.icons else ""
            parts.append(f'<div class="callout x {self.tone(item["tone"])}">{title}<p '
                         f'class="sx-p">{glyph}'
                         f'{item["text"]}</p>{close}</div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        links = "".join(
            f'<li class="tabs-title{" is-active" if i == c.data["active"] else ""}"><a href="#" '
            f'aria-selected="{str(i == c.data["active"]).lower()}">{label}</a></li>'
            for i, label in enumerate(c.data["labels"]))
        return (f'<ul class="tabs">{links}</ul><div class="tabs-content"><div class="tabs-panel '
                f'is-active">'
                f"{navigation.tab_panel(self, c)}</div></div>")

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = (f'<div class="accordion-content" style="display:block">{item["answer"]}'
                    f'</div>') if on else ""
            parts.append(f'<li class="accordion-item{" is-active" if on else ""}"><a href="#" '
                         f'class='
                         f'"accordion-title">{item["question"]}</a>{body}</li>')
        return f'<ul class="accordion">{"".join(parts)}</ul>'

    def pagination(self, c: Component) -> str:
        items = ['<li class="pagination-previous"><a href="#">Previous</a>'
                 '</li>'] if c.data["words"] else []
        for page in c.data["pages"]:
            if page is None:
                items.append('<li class="ellipsis"></li>')
            elif page == c.data["current"]:
                items.append(f'<li class="current">{page}</li>')
            else:
                items.append(f'<li><a href="#">{page}</a></li>')
        items.append('<li class="pagination-next"><a href="#">Next</a></li>' if c.data["words"]
            else "")
        centre = " text-center" if c.centred else ""
        return f'<ul class="pagination{centre}">{"".join(items)}</ul>'

    def breadcrumb(self, c: Component) -> str:
        items = "".join(f'<li><a href="#">{label}</a></li>' for label in c.data["trail"][:-1])
        return (f'<ul class="breadcrumbs">{items}<li>{c.data["trail"][-1]}</li></ul>'
                + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"]) if c.icons else ""
            badge = f'<span class="badge sx-end">{link["badge"]}</span>' if link["badge"] else ""
            on = ' class="is-active"' if i == c.data["active"] else ""
            items.append(f'<li{on}><a href="#" class="sx-line">{glyph}{link["label"]}{badge}</a>'
                         f'</li>')
        return navigation.sidebar_frame(self, c, f'<ul class="vertical menu">{"".join(items)}</ul>')


KITS: tuple[Kit, ...] = (Foundation(),)
