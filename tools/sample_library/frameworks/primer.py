"""Primer CSS, GitHub's design system."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import controls, navigation

SIZES = {"small": " btn-sm", "large": " btn-large", "normal": ""}
LABELS = {"success": "success", "danger": "danger", "warning": "attention", "info": "accent",
          "primary": "accent", "neutral": "secondary", "secondary": "secondary"}
FLASH = {"success": " flash-success", "danger": " flash-error", "warning": " flash-warn",
    "info": ""}


class Primer(Kit):
    name = "primer"
    package = "@primer/css"
    css = ("@primer/primitives/dist/css/primitives.css",
           "@primer/primitives/dist/css/functional/themes/light.css",
           "@primer/primitives/dist/css/functional/themes/dark.css",
           "@primer/primitives/dist/css/functional/themes/dark-dimmed.css",
           "@primer/css/dist/primer.css")
    accent = "#1f883d"
    fonts = ("Source Sans 3", "Inter", "IBM Plex Sans")
    look = ("#stage .pagination{display:inline-flex;flex-wrap:wrap}#stage .form-control{width:100%}"
            "#stage table{width:100%;border-collapse:collapse;font-size:14px}#stage th,#stage "
            "td{padding:8px 14px;"
            "text-align:left;border-top:1px solid var(--sx-line)}#stage thead th{border-top:0;"
            "background:"
            "var(--sx-soft);font-weight:600}#stage .Box.is-hero{border:0}body{font-size:14px}"
            "#stage .pagination>*{display:inline-block}#stage ul{list-style:none;padding:0;"
            "margin:0}#stage p{margin:0}")

    def html_attributes(self, dark: bool) -> str:
        mode = "dark" if dark else "light"
        return f'data-color-mode="{mode}" data-light-theme="light" data-dark-theme="dark"'

    def tokens(self, dark: bool) -> Mapping[str, str]:
        return {"bg": "var(--bgColor-default)", "surface": "var(--bgColor-default)",
                "soft": "var(--bgColor-muted)", "line": "var(--borderColor-default)",
                "muted": "var(--fgColor-muted)", "text": "var(--fgColor-default)"}

    def look_css(self, c: Component) -> str:
        # Tokens live on the element that carries the colour mode: the root, so both are `:root`.
        return super().look_css(c)

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .btn-primary{{background:{accent};color:{on}}}#stage .btn-outline,#stage "
                f"a:not("
                f"[class]),#stage .pagination a{{color:{accent}}}#stage .pagination "
                f"em{{background:{accent};"
                f"color:{on}}}#stage "
                f".UnderlineNav-item[aria-current]{{border-bottom-color:{accent}}}"
                f"#stage .Progress-item{{background:{accent}!important}}")

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"primary": " btn-primary", "success": " btn-primary", "outline": " btn-outline",
                "danger": " btn-danger", "link": " btn-invisible"}.get(tone, "")
        mark = self.icon(glyph) + " " if glyph else ""
        return (f'<button class="btn{kind}{SIZES[size]}{" btn-block" if block else ""}">{mark}'
                f'{text}</button>')

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<span class="Label Label--{LABELS.get(tone, "secondary")}">{text}</span>'

    def heading(self, text: str, level: int = 2) -> str:
        return f'<h{level} class="h{level} sx-h">{text}</h{level}>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<div class="form-group-header"><label>{label}</label></div>' if label else ""
        return (f'<div class="form-group" style="margin:0">{name}<div class="form-group-body">'
                f'<input '
                f'class="form-control" type="{kind}" value="{value}" placeholder="{hint}"></div>'
                f'</div>')

    def search(self, hint: str = "Search") -> str:
        return f'<input class="form-control input-sm" placeholder="{hint}" style="width:150px">'

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        foot = f'<div class="Box-footer color-fg-muted text-small">{footer}</div>' if footer else ""
        head = (f'<div class="Box-header"><h3 class="Box-title">{header}</h3>'
                f'</div>') if header else ""
        kind = " Box--blue color-shadow-medium" if featured else ""
        return (f'<div class="Box{kind}" style="overflow:hidden">{picture}{head}<div '
                f'class="Box-body '
                f'sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        return (f'<div class="Box" style="overflow:hidden"><table><thead>{head}</thead>'
                f'<tbody>{rows}</tbody></table></div>')

    def progress(self, value: int) -> str:
        return (f'<span class="Progress"><span class="Progress-item color-bg-success-emphasis" '
                f'style="width:{value}%"></span></span>')

    def dialog(self, title: str, body: str, actions: str) -> str:
        return (f'<div class="Box Box--overlay" style="width:100%;margin:0"><div '
                f'class="Box-header"><button class='
                f'"Box-btn-octicon btn-octicon float-right">{self.icon("close")}</button><h3 '
                f'class="Box-title">{title}'
                f'</h3></div><div class="Box-body sx-stack">{body}</div><div class="Box-footer '
                f'text-right">{actions}'
                "</div></div>")

    def button_group(self, c: Component) -> str:
        if c.data["style"] == "mixed":
            return controls.button_group(self, c)
        buttons = "".join(controls.group_buttons(self, c))
        buttons = buttons.replace('class="btn', 'class="BtnGroup-item btn')
        return f'<div class="BtnGroup">{buttons}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        if c.variant % 3 == 0:
            links = "".join(f'<a class="UnderlineNav-item" '
                            f'href="#"{" aria-current=page" if i == d["active"] else ""}>'
                            f"{label}</a>" for i, label in enumerate(d["links"]))
            return (f'<nav class="UnderlineNav px-4"><div class="UnderlineNav-body" '
                    f'style="align-items:center"><span class='
                    f'"mr-4">{navigation.nav_brand(self, c)}</span>{links}</div><div '
                    f'class="UnderlineNav-actions sx-line">'
                    f"{navigation.nav_actions(self, c)}</div></nav>")
        links = "".join(f'<div class="Header-item"><a '
                        f'class="Header-link{" text-underline" if i == d["active"] else ""}"'
                        f' href="#">{label}</a></div>' for i, label in enumerate(d["links"]))
        tint = ' style="background:var(--sx-accent)"' if d["filled"] else ""
        return (f'<div class="Header"{tint}><div class="Header-item"><a '
                f'class="Header-link">{navigation.nav_brand(self, c)}'
                f'</a></div>{links}<div class="Header-item sx-end mr-0 '
                f'sx-line">{navigation.nav_actions(self, c)}</div></div>')

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            close = (f'<button class="flash-close">{self.icon("close")}'
                     f'</button>') if c.data["close"] else ""
            title = f"<b>{item['title']}.</b> " if c.data["titled"] else ""
            glyph = self.icon(item["tone"], 1.1) + " " if c.icons else ""
            parts.append(f'<div class="flash{FLASH[item["tone"]]}">{close}{glyph}{title}'
                         f'{item["text"]}</div>')
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        style = c.data["style"]
        item = {"tabs": "tabnav-tab", "pills": "SegmentedControl-button",
            "boxed": "UnderlineNav-item"}[style]
        links = "".join(f'<a class="{item}" '
                        f'href="#"{" aria-current=page" if i == c.data["active"] else ""}>{label}'
                        f'</a>'
                        for i, label in enumerate(c.data["labels"]))
        panel = f'<div class="p-3">{navigation.tab_panel(self, c)}</div>'
        if style == "tabs":
            return f'<div class="tabnav"><nav class="tabnav-tabs">{links}</nav></div>{panel}'
        if style == "boxed":
            return (f'<nav class="UnderlineNav"><div class="UnderlineNav-body">{links}</div>'
                    f'</nav>{panel}')
        inner = "".join(f'<li class="subnav-item{" selected" if i == c.data["active"] else ""}" '
                        f'style="display:block">{label}'
                        "</li>" for i, label in enumerate(c.data["labels"]))
        return f'<nav class="subnav" style="display:flex;margin:0">{inner}</nav>{panel}'

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            body = f'<p class="color-fg-muted mt-2">{item["answer"]}</p>' if on else ""
            parts.append(f'<div class="Box-row"><div class="sx-line"><span class="color-fg-muted">'
                         f'{self.icon("down" if on else "right")}</span><b>{item["question"]}</b>'
                         f'</div>{body}</div>')
        return f'<div class="Box">{"".join(parts)}</div>'

    def pagination(self, c: Component) -> str:
        items = ['<span class="previous_page" aria-disabled="true">Previous</span>']
        for page in c.data["pages"]:
            items.append(f'<em aria-current="page">{page}</em>' if page == c.data["current"] else
                         f'<a href="#">{page}</a>' if page else '<span class="gap">…</span>')
        items.append('<a class="next_page" href="#">Next</a>')
        return (f'<nav class="paginate-container" style="margin:0;text-align:left"><div '
                f'class="pagination">{"".join(items)}</div></nav>')

    def breadcrumb(self, c: Component) -> str:
        items = "".join(f'<li class="breadcrumb-item"><a href="#">{label}</a>'
                        f'</li>' for label in c.data["trail"][:-1])
        return (f'<nav><ol style="padding:0;margin:0">{items}<li class="breadcrumb-item" '
                f'aria-current="page">'
                f'{c.data["trail"][-1]}</li></ol></nav>' + navigation.breadcrumb_title(self, c))

    def sidebar(self, c: Component) -> str:
        items = []
        for i, link in enumerate(c.data["links"]):
            glyph = (f'<span class="color-fg-muted">{self.icon(link["icon"])}'
                     f'</span>') if c.icons else ""
            badge = f'<span class="Counter sx-end">{link["badge"]}</span>' if link["badge"] else ""
            on = " aria-current=page" if i == c.data["active"] else ""
            items.append(f'<a class="SideNav-item sx-line" href="#"{on}>{glyph}{link["label"]}'
                         f'{badge}</a>')
        border = " border" if c.variant % 2 else ""
        return navigation.sidebar_frame(self, c, f'<nav class="SideNav{border}">{"".join(items)}'
                                              f'</nav>')


KITS: tuple[Kit, ...] = (Primer(),)
