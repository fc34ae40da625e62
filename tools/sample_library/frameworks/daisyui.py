"""daisyUI 5: its component classes without Tailwind, in a dozen of its themes."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import controls, navigation, showcase

LIGHT = ("light", "cupcake", "emerald", "corporate", "retro", "garden", "nord", "winter",
    "bumblebee", "silk")
DARK = ("dark", "dracula", "night", "business", "synthwave", "coffee", "dim", "sunset", "forest",
    "abyss")
SIZES = {"small": " btn-sm", "large": " btn-lg", "normal": ""}
TONES = {"danger": "error", "neutral": "ghost", "secondary": "neutral"}


class DaisyUI(Kit):
    name = "daisyui"
    package = "daisyui"
    css = ("daisyui/daisyui.css", "daisyui/themes.css")
    accent = "#570df8"
    radius = "var(--radius-box)"
    fonts = ("Inter", "Nunito", "IBM Plex Sans", "Lato")
    tones = TONES
    # A reset like Tailwind's, in the layer that every daisyUI rule overrides.
    look = ("@layer base{:where(#stage :is(h1,h2,h3,h4,p,figure,blockquote,ul,ol)){margin:0;"
            "padding:0}:where(#stage :is(ul,ol)){"
            "list-style:none}:where(#stage a){color:inherit;text-decoration:none}:where(#stage "
            ":is(button,input)){"
            "font:inherit;color:inherit}}#stage h1{font-size:2.6rem;line-height:1.1;"
            "font-weight:800}#stage h2{"
            "font-size:1.7rem;font-weight:700}#stage h3{font-size:1.35rem;font-weight:700}"
            "body{line-height:1.5}"
            "#stage .input{width:100%}#stage .card,#stage .stats{background:var(--color-base-100);"
            "border:1px "
            "solid var(--color-base-300)}#stage .link{color:var(--color-primary)}#stage "
            ".table{width:100%}"
            "#stage .menu{width:100%}#stage .sx-stage{background:var(--sx-bg);"
            "color:var(--sx-text)}")

    def theme(self, c: Component) -> str:
        """A light or dark daisyUI theme, by the component's look."""
        themes = DARK if c.dark else LIGHT
        return themes[c.variant % len(themes)]

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {"bg": "var(--color-base-100)", "surface": "var(--color-base-100)",
                "soft": "var(--color-base-200)", "line": "var(--color-base-300)",
                "muted": "color-mix(in oklab,var(--color-base-content) 65%,transparent)",
                "text": "var(--color-base-content)"}

    def look_css(self, c: Component) -> str:
        css = super().look_css(c).replace(":root{", ":root,[data-theme]{", 1)
        return css if c.accent else css + "[data-theme]{--sx-accent:var(--color-primary);" \
            "--sx-on:var(--color-primary-content)}"

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"[data-theme]{{--color-primary:{accent}!important;--color-primary-content:{on}"
                f"!important}}")

    def padding(self, c: Component) -> int:
        return 0

    def render(self, c: Component) -> str:
        """The theme is an attribute of a box around the component, which carries the padding."""
        return (f'<div data-theme="{self.theme(c)}" class="sx-stage" '
                f'style="padding:{super().padding(c)}px">'
                f"{super().render(c)}</div>")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"outline": "btn-outline", "link": "btn-ghost", "secondary": ""}.get(tone,
            f"btn-{self.tone(tone)}")
        mark = self.icon(glyph) if glyph else ""
        return (f'<button class="btn {kind}{SIZES[size]}{" btn-block" if block else ""}">{mark}'
                f'{text}</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="badge badge-{self.tone(tone)}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<legend class="fieldset-legend">{label}</legend>' if label else ""
        return (f'<fieldset class="fieldset" style="border:0;margin:0;padding:0">{name}<input '
                f'class="input" '
                f'type="{kind}" value="{value}" placeholder="{hint}"></fieldset>')

    def search(self, hint: str = "Search") -> str:
        return f'<input class="input input-sm" placeholder="{hint}" style="width:150px">'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="label sx-line"><input type="checkbox" class="checkbox '
                f'checkbox-primary checkbox-sm"'
                f'{" checked" if checked else ""}> {label}</label>')

    def link(self, text: str) -> str:
        return f'<a class="link link-primary" href="#">{text}</a>'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f"<figure>{picture}</figure>" if picture else ""
        foot = f'<div class="card-actions sx-muted sx-small">{footer}</div>' if footer else ""
        body = body.replace('class="sx-title"', 'class="card-title"')
        return (f'<div class="card shadow-sm{" sx-featured" if featured else ""}">{top}<div '
                f'class="card-body '
                f'sx-stack">{body}{foot}</div></div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = (" table-zebra" if style == "striped" else "") + (" table-sm" if compact else "")
        box = '<input type="checkbox" class="checkbox checkbox-sm">'
        rows, head = (part.replace('<input type="checkbox">', box) for part in (rows, head))
        rows = rows.replace('class="badge badge-', 'class="badge badge-soft badge-')
        return f'<table class="table{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def progress(self, value: int) -> str:
        return f'<progress class="progress progress-primary" value="{value}" max="100"></progress>'

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="modal-box" style="width:100%;max-width:none;opacity:1;scale:1;'
                f'translate:0"><button class='
                f'"btn btn-sm btn-circle btn-ghost" style="position:absolute;right:8px;top:8px">'
                f'✕</button><h3>{title}</h3>'
                f'<div class="sx-stack" style="padding:14px 0">{body}</div><div '
                f'class="modal-action" style="margin-top:8px">'
                f"{actions}</div></div>")

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        buttons = "".join(controls.group_buttons(self, c)).replace('class="btn',
            'class="btn join-item')
        return f'<div class="join">{buttons}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<li><a class="{"menu-active" if i == d["active"] else ""}">{label}</a>'
                        f'</li>'
                        for i, label in enumerate(d["links"]))
        skin = ("background:var(--sx-accent);color:var(--sx-on)" if d["filled"] else
                "background:var(--color-base-200)" if c.variant % 2 else "border-bottom:1px solid "
                    "var(--sx-line)")
        brand = navigation.nav_brand(self, c).replace("sx-brand", "btn btn-ghost text-xl sx-brand")
        return (f'<div class="navbar" style="{skin};padding:8px 20px;display:flex"><div '
                f'class="navbar-start" style="width:'
                f'auto">{brand}</div><ul class="menu menu-horizontal" style="display:flex;'
                f'flex-direction:row;width:auto;'
                f'flex-wrap:nowrap">{links}</ul><div class="sx-line '
                f'sx-end">{navigation.nav_actions(self, c)}</div></div>')

    def hero(self, c: Component) -> str:
        if c.data["layout"] != "centred":
            return showcase.hero(self, c)
        d = c.data
        second = self.button(d["second"], "outline") if d["second"] else ""
        return (f'<div class="hero" style="background:var(--color-base-200);padding:56px 0"><div '
                f'class="hero-content '
                f'sx-text-center" style="text-align:center"><div style="max-width:560px">'
                f'<h1>{d["title"]}</h1><p style="'
                f'padding:24px 0">{d["text"]}</p>{self.button(d["button"])} {second}</div></div>'
                f'</div>')

    def alert(self, c: Component) -> str:
        parts = []
        kind = ("", " alert-soft", " alert-outline")[c.variant % 3]
        for item in c.data["alerts"]:
            glyph = self.icon(item["tone"], 1.4) if c.icons else ""
            title = f"<b>{item['title']}.</b> " if c.data["titled"] else ""
            close = ('<button class="btn btn-sm btn-ghost sx-end">'
                     '✕</button>') if c.data["close"] else ""
            parts.append(f'<div class="alert{kind} alert-{self.tone(item["tone"])}">{glyph}'
                         f'<span>{title}'
                         f'{item["text"]}</span>{close}</div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        kind = {"tabs": "tabs-border", "pills": "tabs-box", "boxed": "tabs-lift"}[c.data["style"]]
        links = "".join(f'<a class="tab{" tab-active" if i == c.data["active"] else ""}">{label}'
                        f'</a>'
                        for i, label in enumerate(c.data["labels"]))
        return (f'<div class="tabs {kind}">{links}</div><div style="padding:18px '
                f'8px">{navigation.tab_panel(self, c)}</div>')

    def accordion(self, c: Component) -> str:
        mark = ("collapse-arrow", "collapse-plus")[c.variant % 2]
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = "collapse-open" if i == c.data["open"] else "collapse-close"
            parts.append(f'<div class="collapse {mark} {on}" style="border:1px solid '
                         f'var(--sx-line);background:'
                         f'var(--color-base-100);visibility:visible"><div class="collapse-title">'
                         f'<b>{item["question"]}</b></div>'
                         f'<div class="collapse-content">{item["answer"]}</div></div>')
        return f'<div class="sx-stack" style="gap:8px">{"".join(parts)}</div>'

    def pagination(self, c: Component) -> str:
        size = SIZES[c.data["size"]] if c.width > 400 else " btn-sm"
        items = [f'<button class="join-item btn{size}">«</button>']
        for page in c.data["pages"]:
            on = " btn-active btn-primary" if page == c.data["current"] else ""
            on = on if page else " btn-disabled"
            items.append(f'<button class="join-item btn{size}{on}">{page or "..."}</button>')
        items.append(f'<button class="join-item btn{size}">»</button>')
        return f'<div class="join">{"".join(items)}</div>'

    def breadcrumb(self, c: Component) -> str:
        first = self.icon("home") + " " if c.data["home_icon"] else ""
        items = "".join(f'<li><a href="#">{first if not i else ""}{label}</a></li>'
                        for i, label in enumerate(c.data["trail"]))
        return (f'<div class="breadcrumbs"><ul>{items}</ul>'
                f'</div>') + navigation.breadcrumb_title(self,
            c)

    def stats(self, c: Component) -> str:
        items = []
        for item in c.data["items"]:
            glyph = (f'<div class="stat-figure sx-accent">{self.icon(item["icon"], 2)}'
                     f'</div>') if c.icons else ""
            note = (f'<div class="stat-desc">{item["change"]:+d}% this '
                    f'month</div>') if c.data["changes"] else ""
            items.append(f'<div class="stat">{glyph}<div class="stat-title">{item["label"]}</div>'
                         f'<div class='
                         f'"stat-value">{item["value"]}</div>{note}</div>')
        return f'<div class="stats shadow" style="display:grid">{"".join(items)}</div>'

    def sidebar(self, c: Component) -> str:
        items = ['<li class="menu-title">Menu</li>']
        for i, link in enumerate(c.data["links"]):
            glyph = self.icon(link["icon"], 1.2) if c.icons else ""
            badge = (f'<span class="badge badge-sm badge-primary sx-end">{link["badge"]}'
                     f'</span>') if link["badge"] else ""
            on = "menu-active" if i == c.data["active"] else ""
            items.append(f'<li><a class="{on}" style="display:flex">{glyph}{link["label"]}{badge}'
                         f'</a></li>')
        return navigation.sidebar_frame(self, c, f'<ul class="menu" '
                                              f'style="padding:0">{"".join(items)}</ul>')


KITS: tuple[Kit, ...] = (DaisyUI(),)
