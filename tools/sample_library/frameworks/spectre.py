"""Spectre.css."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import DARK_TOKENS, Kit
from tools.sample_library.templates import controls, navigation

SIZES = {"small": " btn-sm", "large": " btn-lg", "normal": ""}
TONES = {"info": "primary", "danger": "error", "neutral": "secondary"}


class Spectre(Kit):
    name = "spectre"
    package = "spectre.css"
    css = ("spectre.css/dist/spectre.min.css", "spectre.css/dist/spectre-exp.min.css",
           "spectre.css/dist/spectre-icons.min.css")
    accent = "#5755d9"
    radius = "2px"
    own_dark = False
    fonts = ("Inter", "Roboto", "IBM Plex Sans")
    tones = TONES
    look = "#stage blockquote{margin:0}#stage .card-body:last-child{padding-bottom:.8rem}"

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {**DARK_TOKENS, "bg": "#1d1f2b", "surface": "#262936", "soft": "#2f3342"}
        return {"bg": "#fff", "surface": "#fff", "soft": "#f7f8f9", "line": "#dadee4",
                "muted": "#66758c", "text": "#3b4351"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .btn-primary,#stage .bg-primary,#stage .label-primary,#stage "
                f".bar-item,#stage "
                f".page-item.active a{{background:{accent};border-color:{accent};color:{on}"
                f"!important}}"
                f"#stage .btn:not(.btn-primary):not(.btn-error):not(.btn-success){{"
                f"border-color:{accent};"
                f"color:{accent}}}#stage a{{color:{accent}}}#stage .tab .tab-item.active "
                f"a{{color:{accent};"
                f"border-bottom-color:{accent}}}#stage .avatar{{background:{accent}}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage .card,#stage .modal-container,#stage .panel,#stage .menu,#stage "
                ".tile{background:"
                "#262936;color:#e6e9ef;border-color:#3a4054}#stage .form-input{background:#1a1c27;"
                "color:"
                "#fff;border-color:#454b62}#stage .table td,#stage .table th,#stage "
                ".tab{border-color:"
                "#3a4054}#stage .table-striped tbody tr:nth-of-type(odd){background:#252836}"
                "#stage .btn:"
                "not(.btn-primary):not(.btn-error):not(.btn-success){background:#262936}#stage "
                ".menu a,"
                "#stage .accordion label{color:#e6e9ef}#stage "
                ".label:not([class*=label-]){background:"
                "#3a4054;color:#fff}#stage .modal-title,#stage .modal-header{color:#fff}#stage "
                ".menu "
                ".menu-item a.active{background:#3a4054;color:#fff}#stage "
                ".divider[data-content]::after{"
                "background:#2f3342}#stage .bar{background:#3a4054}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": " btn-primary", "danger": " btn-error", "success": " btn-success",
                "link": " btn-link"}.get(tone, "")
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="btn{kind}{SIZES[size]}{" btn-block" if block else ""}">{mark}'
                f'{text}'
                "</button>")

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="label label-rounded label-{self.tone(tone)}">{text}</span>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<label class="form-label">{label}</label>' if label else ""
        return (f'<div class="form-group">{name}<input class="form-input" type="{kind}" '
                f'value="{value}" '
                f'placeholder="{hint}"></div>')

    def search(self, hint: str = "Search") -> str:
        return (f'<div class="input-group input-inline"><input class="form-input" '
                f'placeholder="{hint}" '
                'style="width:120px"><button class="btn btn-primary input-group-btn">'
                f'{self.icon("search")}</button></div>')

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<label class="form-checkbox"><input '
                f'type="checkbox"{" checked" if checked else ""}>'
                f'<i class="form-icon"></i> {label}</label>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        top = f'<div class="card-image">{picture}</div>' if picture else ""
        foot = f'<div class="card-footer text-gray">{footer}</div>' if footer else ""
        body = body.replace('class="sx-title"', 'class="card-title h5"')
        return (f'<div class="card{" sx-featured" if featured else ""}">{top}<div class="card-body '
                f'sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        kind = {"striped": " table-striped", "hover": " table-hover"}.get(style, "")
        return f'<table class="table{kind}"><thead>{head}</thead><tbody>{rows}</tbody></table>'

    def progress(self, value: int) -> str:
        return f'<div class="bar bar-sm"><div class="bar-item" style="width:{value}%"></div></div>'

    def quote(self, text: str) -> str:
        return f"<blockquote><p class='sx-p'>{text}</p></blockquote>"

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="modal-container" style="animation:none;width:100%"><div '
                f'class="modal-header">'
                f'<a class="btn btn-clear float-right"></a><div class="modal-title h5">{title}'
                f'</div></div>'
                f'<div class="modal-body"><div class="content sx-stack">{body}</div></div><div '
                f'class='
                f'"modal-footer">{actions}</div></div>')

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        buttons = "".join(controls.group_buttons(self, c))
        return f'<div class="btn-group{" btn-group-block" if c.centred else ""}">{buttons}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(f'<a href="#" class="btn '
                        f'btn-link{" text-bold" if i == d["active"] else ""}" '
                        f'style="{"color:inherit" if d["filled"] else ""};border:0;'
                        f'background:none">'
                        f"{label}</a>" for i, label in enumerate(d["links"]))
        skin = "sx-filled" if d["filled"] else ("sx-surface" if c.variant % 2 else "sx-soft")
        brand = navigation.nav_brand(self, c).replace("sx-brand", "navbar-brand mr-2 sx-brand "
            "text-bold")
        return (f'<header class="navbar {skin}" style="padding:12px 24px"><section '
                f'class="navbar-section '
                f'sx-line">{brand}{links}</section><section class="navbar-section sx-line">'
                f"{navigation.nav_actions(self, c)}</section></header>")

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            close = '<button class="btn btn-clear float-right"></button>' if c.data["close"] else ""
            title = f"<b>{item['title']}.</b> " if c.data["titled"] else ""
            glyph = self.icon(item["tone"], 1.1) + " " if c.icons else ""
            parts.append(f'<div class="toast toast-{self.tone(item["tone"])}">{close}{glyph}{title}'
                         f'{item["text"]}</div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        links = "".join(f'<li class="tab-item{" active" if i == c.data["active"] else ""}"><a '
                        f'href="#">'
                        f"{label}</a></li>" for i, label in enumerate(c.data["labels"]))
        block = " tab-block" if c.data["style"] == "boxed" else ""
        return (f'<ul class="tab{block}">{links}</ul><div '
                f'class="p-2">{navigation.tab_panel(self, c)}'
                f'</div>')

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = (f'<div class="accordion-body" style="max-height:none;padding:0 1.4rem">'
                    f'<p>{item["answer"]}</p></div>') if on \
                else ""
            turn = ' style="transform:rotate(90deg)"' if on else ""
            parts.append(f'<div class="accordion"><label class="accordion-header c-hand"><i '
                         f'class="icon '
                         f'icon-arrow-right mr-1"{turn}></i>{item["question"]}</label>{body}</div>')
        return "".join(parts)

    def pagination(self, c: Component) -> str:
        items = [f'<li class="page-item"><a href="#">{"Previous" if c.data["words"] else "Prev"}'
                 f'</a></li>']
        for page in c.data["pages"]:
            on = " active" if page == c.data["current"] else ""
            inner = f'<a href="#">{page}</a>' if page else "<span>…</span>"
            items.append(f'<li class="page-item{on}">{inner}</li>')
        items.append('<li class="page-item"><a href="#">Next</a></li>')
        return f'<ul class="pagination" style="margin:0">{"".join(items)}</ul>'

    def breadcrumb(self, c: Component) -> str:
        items = "".join(f'<li class="breadcrumb-item"><a href="#">{label}</a></li>'
                        for label in c.data["trail"])
        return (f'<ul class="breadcrumb" style="margin:0">{items}'
                f'</ul>') + navigation.breadcrumb_title(self, c)

    def sidebar(self, c: Component) -> str:
        items = ['<li class="divider" data-content="MENU"></li>']
        for i, link in enumerate(c.data["links"]):
            badge = (f'<div class="menu-badge"><label class="label label-primary">{link["badge"]}'
                     f'</label></div>') \
                if link["badge"] else ""
            glyph = self.icon(link["icon"]) + "&nbsp; " if c.icons else ""
            on = ' class="active"' if i == c.data["active"] else ""
            items.append(f'<li class="menu-item">{badge}<a href="#"{on}>{glyph}{link["label"]}</a>'
                         f'</li>')
        return navigation.sidebar_frame(self, c, f'<ul class="menu" '
                                              f'style="box-shadow:none">{"".join(items)}</ul>')

    def avatar(self, c: Component, who: Mapping[str, object], size: int = 48) -> str:
        if c.pictures:
            return super().avatar(c, who, size)
        return (f'<figure class="avatar" data-initial="{who["initials"]}" style="width:{size}px;'
                f'height:'
                f'{size}px;font-size:{size * .4:.0f}px;margin:0"></figure>')


KITS: tuple[Kit, ...] = (Spectre(),)
