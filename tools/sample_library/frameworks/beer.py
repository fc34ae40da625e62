"""Beer CSS: Material Design 3 with very few classes."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation
from tools.sample_library.vocabulary import BUTTON_ICONS

SIZES = {"small": " small", "large": " large", "normal": ""}
PAINT = {tone: f"tag-{tone}" for tone in ("success", "danger", "warning", "info")}


class Beer(Kit):
    name = "beercss"
    package = "beercss"
    css = ("beercss/dist/cdn/beer.min.css",)
    icon_pack = "material-round"
    accent = "#6750a4"
    radius = "12px"
    fonts = ("Roboto",)
    look = ("body{display:block}#stage article{margin:0}#stage nav{margin:0}#stage "
            ".field{margin:0}#stage h1,#stage h2,"
            "#stage h3{margin:0;line-height:1.15}#stage h1{font-size:2.7rem}#stage "
            "h2{font-size:2.1rem}#stage h3{font-size:"
            "1.7rem}#stage dialog{position:static;transform:none;opacity:1;visibility:visible;"
            "display:block;max-width:none;"
            "width:100%;inset:auto;max-height:none;min-height:0;block-size:auto}#stage "
            "a{justify-content:"
            "flex-start}#stage .tag-success{background:#bfeccb;color:#0c4020}#stage "
            ".tag-warning{background:#ffdfae;color:#4b2c00}"
            "#stage .tag-info{background:#c9e2ff;color:#0b3763}#stage "
            ".tag-danger{background:#ffd5d1;color:#6b120c}#stage img.sx-img{border-radius:0}"
            "#stage button,#stage .chip{margin:0;white-space:nowrap}"
            "#stage .sx-pic{margin:-16px -16px 16px;overflow:hidden;border-radius:12px 12px 0 "
            "0}#stage article{overflow:"
            "hidden}#stage .sx-icon{width:1.3em;height:1.3em}#stage .sx-stars .sx-icon{width:1em;"
            "height:1em}")

    def body_class(self, dark: bool) -> str:
        return "dark" if dark else "light"

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#141218", "surface": "#211f26", "soft": "#2b2930", "line": "#49454e",
                "muted": "#cac4cf",
                    "text": "#e6e0e9"}
        return {"bg": "#fef7ff", "surface": "#f3edf7", "soft": "#ece6f0", "line": "#cac4cf",
            "muted": "#49454e",
                "text": "#1d1b20"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        mix = f"color-mix(in srgb,{accent} {{}}%,{'#111' if dark else '#fff'})"
        return (f"body.light,body.dark{{--primary:{accent};--on-primary:{on};"
                f"--primary-container:{mix.format(30)};"
                f"--on-primary-container:var(--sx-text);--secondary-container:{mix.format(22)};"
                f"--on-secondary-container:"
                f"var(--sx-text);--surface:{mix.format(3)};--surface-container:{mix.format(9)};"
                f"--surface-container-low:"
                f"{mix.format(6)};--surface-container-high:{mix.format(12)}}}"
                f"body:not(.x){{background:{mix.format(3)}}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "border", "link": "transparent", "secondary": "fill", "danger": "error",
                "success": "green"}.get(tone, "")
        mark = f'<i style="display:inline-flex">{self.icon(glyph)}</i>' if glyph else ""
        wide = " responsive" if block else ""
        return f'<button class="{kind}{SIZES[size]}{wide}">{mark}<span>{text}</span></button>'

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="chip small {PAINT.get(tone, "fill")}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        style = "border" if len(label) % 2 == 0 else "fill"
        return (f'<div class="field label {style}{" round" if label == "Name" else ""}"><input '
                f'type="{kind}" value="{value}" '
                f'placeholder=" "><label class="{"active" if value else ""}'
                f'">{label or ("" if value else hint)}</label></div>')

    def search(self, hint: str = "Search") -> str:
        return (f'<div class="field small round fill" style="width:170px"><input '
                f'placeholder="{hint}"></div>')

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="sx-line"><input type="checkbox"{" checked" if checked else ""}>'
                f' {label}</label>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="sx-pic">{picture}</div>' if picture else ""
        foot = (f'<p class="sx-muted sx-small" style="margin-top:12px">{footer}'
                f'</p>') if footer else ""
        kind = "primary-container" if featured else "border" if len(body) % 3 == 0 else ""
        return f'<article class="{kind}">{top}<div class="sx-stack">{body}</div>{foot}</article>'

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": "stripes", "bordered": "border"}.get(style, "")
        return f'<table class="{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def progress(self, value: int) -> str:
        return f'<progress value="{value}" max="100"></progress>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<dialog class="active" open><h3 style="font-size:1.5rem">{title}</h3><div '
                f'class="sx-stack" style="padding:'
                f'16px 0">{body}</div><nav class="right-align no-space">{actions}</nav></dialog>')

    def button_group(self, c: Component) -> str:
        buttons = []
        labels = c.data["labels"]
        for i, label in enumerate(labels):
            edge = "left-round" if i == 0 else "right-round" if i == len(labels) - 1 else "no-round"
            name = BUTTON_ICONS.get(label)
            mark = (f'<i style="display:inline-flex">{self.icon(name)}'
                    f'</i>') if c.icons and name else ""
            on = i == c.data["active"]
            kind = {"primary": "", "mixed": "fill"}.get(c.data["style"], "border")
            buttons.append(f'<button class="{edge}'
                           f' {"fill" if on and kind == "border" else "" if on else kind}'
                           f'{SIZES[c.data["size"]]}">{mark}<span>{label}</span></button>')
        return f'<nav class="no-space">{"".join(buttons)}</nav>'

    def navbar(self, c: Component) -> str:
        d = c.data
        chosen = "background:var(--secondary-container);color:var(--on-secondary-container)"
        links = "".join(f'<a href="#" class="sx-plain" style="padding:8px 14px;border-radius:99px;'
                        f'{chosen if i == d["active"] else ""}'
                        f'">{label}</a>' for i, label in enumerate(d["links"]))
        skin = "primary" if d["filled"] else "surface-container"
        return (f'<header class="{skin}" style="padding:8px 20px;min-height:0"><nav '
                f'class="sx-line" style="gap:4px"><span '
                f'style="margin-right:20px">{navigation.nav_brand(self, c)}</span>{links}<div '
                f'class="sx-line sx-end">'
                f"{navigation.nav_actions(self, c)}</div></nav></header>")

    def alert(self, c: Component) -> str:
        parts = []
        tones = {"info": "primary-container", "success": "green-container",
            "warning": "orange-container",
                 "danger": "error-container"}
        paint = {"green-container": "background:#c8f0cf;"
                                    "color:#0b3b18", "orange-container": "background:#ffe0b8;"
                                        "color:#4a2a00"}
        for item in c.data["alerts"]:
            tone = tones[item["tone"]]
            title = f"<b>{item['title']}.</b> " if c.data["titled"] else ""
            glyph = self.icon(item["tone"], 1.3) if c.icons else ""
            close = f'<span class="sx-end">{self.icon("close")}</span>' if c.data["close"] else ""
            parts.append(f'<article class="{tone} sx-line" style="{paint.get(tone, "")};'
                         f'padding:14px 18px">{glyph}<span>'
                         f'{title}{item["text"]}</span>{close}</article>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        links = "".join(f'<a class="{"active" if i == c.data["active"] else ""}">{label}</a>'
                        for i, label in enumerate(c.data["labels"]))
        side = "" if c.centred else " left-align"
        return (f'<div class="tabs{side}">{links}</div><div style="padding:18px '
                f'12px">{navigation.tab_panel(self, c)}</div>')

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            parts.append(f'<details{" open" if on else ""} style="margin-bottom:8px"><summary '
                         f'class="none"><article class='
                         f'"round surface-container-high" style="padding:12px 20px"><div '
                         f'class="sx-line sx-between"><b>'
                         f'{item["question"]}</b>{self.icon("up" if on else "down")}</div>'
                         f'</article></summary><p class="sx-p" '
                         f'style="padding:10px 22px">{item["answer"]}</p></details>')
        return "".join(parts)

    def pagination(self, c: Component) -> str:
        parts = [f'<button class="circle transparent">{self.icon("left")}</button>']
        for page in c.data["pages"]:
            kind = "" if page == c.data["current"] else "transparent"
            parts.append(f'<button class="circle {kind}">{page or "…"}</button>')
        parts.append(f'<button class="circle transparent">{self.icon("right")}</button>')
        return f'<nav class="no-space" style="flex-wrap:wrap">{"".join(parts)}</nav>'

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            on = ("background:var(--secondary-container);"
                  "font-weight:600") if i == c.data["active"] else ""
            glyph = self.icon(link["icon"], 1.4) if c.icons else ""
            badge = f'<span class="sx-end">{link["badge"]}</span>' if link["badge"] else ""
            items.append(f'<a class="sx-plain sx-line" style="border-radius:99px;padding:14px '
                         f'20px;{on}">{glyph}'
                         f'{link["label"]}{badge}</a>')
        return navigation.sidebar_frame(self, c, "".join(items))


KITS: tuple[Kit, ...] = (Beer(),)
