"""GOV.UK Frontend, without the crown and its typeface."""

from collections.abc import Mapping

from tools.sample_library.content import Component
from tools.sample_library.kit import Kit
from tools.sample_library.templates import navigation, showcase
from tools.sample_library.vocabulary import CALLS

TAGS = {"success": "green", "danger": "red", "warning": "yellow", "info": "light-blue",
    "neutral": "grey",
        "primary": "blue", "secondary": "grey"}


class GovUK(Kit):
    name = "govuk"
    package = "govuk-frontend"
    css = ("govuk-frontend/dist/govuk/govuk-frontend.min.css",)
    accent = "#1d70b8"
    radius = "0px"
    own_dark = False
    fonts = ("Source Sans 3", "Inter", "Roboto")
    look = ("#stage,#stage [class^=govuk-]{font-family:inherit}#stage .govuk-button,#stage "
            ".govuk-table,#stage "
            ".govuk-tabs,#stage .govuk-accordion,#stage .govuk-notification-banner,#stage "
            ".govuk-summary-card,#stage "
            ".govuk-warning-text,#stage .govuk-inset-text,#stage .govuk-form-group,#stage "
            ".govuk-breadcrumbs{margin-top:0;"
            "margin-bottom:0}#stage .govuk-heading-l,#stage .govuk-heading-m,#stage "
            ".govuk-heading-xl{margin:0;color:inherit}"
            "#stage .govuk-summary-card__content{padding:20px}#stage{font-size:19px;"
            "line-height:1.32}#stage .govuk-tabs__tab"
            "{white-space:nowrap}#stage .govuk-tabs__list{padding:0;margin:0;display:flex;"
            "border-bottom:1px solid var(--sx-line)}#stage "
            ".govuk-tabs__list-item{white-space:nowrap;margin:0 5px 0 0;padding:"
            "10px 20px;background:var(--sx-soft)}#stage "
            ".govuk-tabs__list-item::before{content:none}#stage "
            ".govuk-tabs__list-item--selected{background:var(--sx-bg);border:1px solid "
            "var(--sx-line);border-bottom:0;"
            "margin-bottom:-1px;padding:14px 19px 11px;margin-top:-5px}#stage "
            ".govuk-tabs__panel{border:1px solid "
            "var(--sx-line);border-top:0;padding:24px 20px}#stage "
            ".govuk-summary-card{background:var(--sx-surface)}#stage "
            ".govuk-checkboxes__label{white-space:nowrap;max-width:none}")

    def html_attributes(self, dark: bool) -> str:
        return 'class="govuk-template--rebranded"'

    def body_class(self, dark: bool) -> str:
        return "govuk-frontend-supported js-enabled"

    def tokens(self, dark: bool) -> Mapping[str, str]:
        if dark:
            return {"bg": "#0b0c0c", "surface": "#15171a", "soft": "#212529", "line": "#4b5158",
                "muted": "#b1b4b6",
                    "text": "#f3f2f1"}
        return {"bg": "#fff", "surface": "#fff", "soft": "#f3f2f1", "line": "#b1b4b6",
            "muted": "#505a5f",
                "text": "#0b0c0c"}

    def accent_css(self, accent: str, on: str, dark: bool) -> str:
        return (f"#stage .govuk-notification-banner:not([class*=success]){{background:{accent};"
                f"border-color:{accent}}}"
                f"#stage .govuk-link,#stage .govuk-tabs__tab,#stage "
                f".govuk-pagination__link,#stage a:not([class])"
                f"{{color:{accent}}}#stage .govuk-button:not([class*=--]){{background:{accent};"
                f"color:{on};box-shadow:0 2px 0 "
                f"color-mix(in srgb,{accent} 60%,#000)}}#stage "
                f".govuk-pagination__item--current,#stage "
                f".govuk-service-navigation{{background:{accent};}}#stage "
                f".govuk-pagination__item--current a{{color:{on}}}")

    def look_css(self, c: Component) -> str:
        dark = ("#stage [class*=govuk-table__],#stage [class*=govuk-body],#stage "
                "[class*=govuk-label],#stage "
                "[class*=govuk-tabs__],#stage .govuk-breadcrumbs__list-item,#stage "
                ".govuk-breadcrumbs__link,#stage "
                "[class*=govuk-accordion__],#stage .govuk-warning-text__text,#stage "
                ".govuk-inset-text,#stage "
                ".govuk-pagination__link,#stage .govuk-link{color:#f3f2f1}#stage "
                ".govuk-tabs__list-item,#stage "
                ".govuk-summary-card__title-wrapper,#stage "
                ".govuk-button--secondary{background:#2b3035;color:#f3f2f1}"
                "#stage .govuk-tabs__list-item--selected{background:#15171a}#stage "
                ".govuk-tabs__panel{border-color:"
                "#4b5158}#stage .govuk-input{background:#15171a;color:#fff;border-color:#d0d2d4}"
                "#stage "
                ".govuk-notification-banner__content{background:#15171a}#stage "
                ".govuk-notification-banner__heading{color:"
                "#fff}#stage .govuk-checkboxes__label::before{border-color:#fff}#stage "
                ".govuk-service-navigation{"
                "background:#1b1e22}#stage .govuk-service-navigation "
                "a{color:#fff}") if c.dark else ""
        return super().look_css(c) + dark

    def button(self, text: str, tone: str = "primary", size: str = "normal", *,
               glyph: str | None = None, block: bool = False) -> str:
        kind = {"secondary": " govuk-button--secondary", "outline": " govuk-button--secondary",
                "link": " govuk-button--secondary", "danger": " govuk-button--warning"}.get(tone,
                "")
        arrow = (' <svg class="govuk-button__start-icon" width="17" height="19" viewBox="0 0 33 '
                 '40"><path '
                 'fill="currentColor" d="M0 0h13l20 20-20 20H0l20-20z"/></svg>')
        arrow = arrow if text in CALLS and size == "large" and not kind else ""
        start = " govuk-button--start" if arrow else ""
        small = "font-size:16px;padding:4px 10px;" if size == "small" else ""
        return (f'<button class="govuk-button{kind}{start}" style="{small}'
                f'{"width:100%" if block else "width:auto"}">'
                f"{text}{arrow}</button>")

    def badge(self, text: str, tone: str = "primary") -> str:
        return f'<strong class="govuk-tag govuk-tag--{TAGS.get(tone, "blue")}">{text}</strong>'

    def heading(self, text: str, level: int = 2) -> str:
        size = {1: "xl", 2: "l", 3: "m"}.get(level, "s")
        return f'<h{level} class="govuk-heading-{size}">{text}</h{level}>'

    def link(self, text: str) -> str:
        return f'<a class="govuk-link" href="#">{text}</a>'

    def field(self, label: str, kind: str = "text", value: str = "", hint: str = "") -> str:
        name = f'<label class="govuk-label">{label}</label>' if label else ""
        return (f'<div class="govuk-form-group">{name}<input class="govuk-input" type="{kind}" '
                f'value="{value}" '
                f'style="width:100%"></div>')

    def search(self, hint: str = "Search") -> str:
        return f'<input class="govuk-input" placeholder="{hint}" style="width:160px">'

    def check(self, label: str, checked: bool = True) -> str:
        return (f'<div class="govuk-checkboxes govuk-checkboxes--small"><div '
                f'class="govuk-checkboxes__item"><input class='
                f'"govuk-checkboxes__input" type="checkbox"{" checked" if checked else ""}><label '
                f'class="govuk-label '
                f'govuk-checkboxes__label">{label}</label></div></div>')

    def card(self, body: str, *, picture: str = "", footer: str = "", header: str = "",
             featured: bool = False) -> str:
        head = (f'<div class="govuk-summary-card__title-wrapper"><h2 '
                f'class="govuk-summary-card__title">{header}</h2></div>') \
            if header else ""
        foot = (f'<div class="govuk-summary-card__title-wrapper" style="font-size:16px">{footer}'
                f'</div>') if footer else ""
        return (f'<div class="govuk-summary-card{" sx-featured" if featured else ""}">{picture}'
                f'{head}<div class='
                f'"govuk-summary-card__content sx-stack">{body}</div>{foot}</div>')

    def table(self, head: str, rows: str, style: str, compact: bool) -> str:
        head = head.replace("<th", '<th class="govuk-table__header"').replace("<tr",
            '<tr class="govuk-table__row"')
        rows = rows.replace("<td", '<td class="govuk-table__cell"').replace("<tr",
            '<tr class="govuk-table__row"')
        small = " govuk-table--small-text-until-tablet" if compact else ""
        return (f'<table class="govuk-table{small}"><thead>{head}</thead><tbody>{rows}</tbody>'
                f'</table>')

    def quote(self, text: str) -> str:
        return f'<div class="govuk-inset-text">{text}</div>'

    def navbar(self, c: Component) -> str:
        d = c.data
        links = "".join(
            f'<li class="{_item("service-navigation__item", "active", i == d["active"])}">'
            f'<a class="govuk-service-navigation__link" href="#">{label}</a>'
            f'</li>' for i, label in enumerate(d["links"]))
        name = (f'<span class="govuk-service-navigation__service-name"><a '
                f'class="govuk-service-navigation__link" '
                f'href="#">{d["brand"]}</a></span>')
        bar = (f'<div style="background:var(--sx-accent);color:var(--sx-on);padding:14px 30px" '
               f'class="sx-line"><span style='
               f'"font-size:1.5em">{self.logo(d["logo"])}</span><b '
               f'style="font-size:1.3em">{d["brand"]}</b><span class='
               f'"sx-end sx-line">{navigation.nav_actions(self, c)}</span></div>')
        top = bar if d["filled"] or c.variant % 2 else ""
        actions = "" if top else (f'<div class="sx-line sx-end">{navigation.nav_actions(self, c)}'
                 f'</div>')
        return (f'{top}<div class="govuk-service-navigation" style="background:var(--sx-soft)">'
                f'<div class="sx-line" style='
                f'"padding:0 30px"><div '
                f'class="govuk-service-navigation__container">{"" if top else name}<nav class='
                f'"govuk-service-navigation__wrapper"><ul '
                f'class="govuk-service-navigation__list">{links}</ul></nav></div>'
                f"{actions}</div></div>")

    def alert(self, c: Component) -> str:
        parts = []
        for item in c.data["alerts"]:
            if item["tone"] in ("warning", "danger"):
                parts.append('<div class="govuk-warning-text"><span '
                             'class="govuk-warning-text__icon">!</span><strong class='
                             f'"govuk-warning-text__text">{item["text"]}</strong></div>')
                continue
            kind = " govuk-notification-banner--success" if item["tone"] == "success" else ""
            title = "Success" if kind else "Important"
            parts.append(f'<div class="govuk-notification-banner{kind}"><div '
                         f'class="govuk-notification-banner__header"><h2 '
                         f'class="govuk-notification-banner__title">{title}</h2></div><div class='
                         f'"govuk-notification-banner__content"><p '
                         f'class="govuk-notification-banner__heading">{item["text"]}'
                         "</p></div></div>")
        return f'<div class="sx-stack">{"".join(parts)}</div>'

    def tabs(self, c: Component) -> str:
        links = "".join(
            f'<li class="{_item("tabs__list-item", "selected", i == c.data["active"])}"><a class='
            f'"govuk-tabs__tab" href="#">{label}</a></li>'
            for i, label in enumerate(c.data["labels"]))
        return (f'<div class="govuk-tabs"><ul class="govuk-tabs__list">{links}</ul><div '
                f'class="govuk-tabs__panel">'
                f"{navigation.tab_panel(self, c)}</div></div>")

    def accordion(self, c: Component) -> str:
        parts = []
        for i, item in enumerate(c.data["items"]):
            on = i == c.data["open"]
            mark = " govuk-accordion-nav__chevron--down" if not on else ""
            body = (f'<div class="govuk-accordion__section-content" style="display:block"><p '
                    f'class="govuk-body">{item["answer"]}</p></div>') if on else ""
            parts.append(
                f'<div class="{_item("accordion__section", "expanded", on)}"><div class='
                f'"govuk-accordion__section-header"><h2 class="govuk-accordion__section-heading">'
                f'<button class='
                f'"govuk-accordion__section-button"><span '
                f'class="govuk-accordion__section-heading-text">{item["question"]}</span>'
                f'<span class="govuk-accordion__section-toggle"><span '
                f'class="govuk-accordion-nav__chevron{mark}"></span><span '
                f'class="govuk-accordion__section-toggle-text">{"Hide" if on else "Show"}</span>'
                f'</span></button></h2></div>{body}'
                "</div>")
        return f'<div class="govuk-accordion">{"".join(parts)}</div>'

    def pagination(self, c: Component) -> str:
        arrow = ('<svg class="govuk-pagination__icon" height="13" width="15" viewBox="0 0 15 '
                 '13"><path d="m6.6 0-6.7 6.5 6.7 '
                 '6.5 1.4-1.4-4.3-4.3h11.4v-2h-11.4l4.2-4.2z"/></svg>')
        items = []
        for page in c.data["pages"]:
            if page is None:
                items.append('<li class="govuk-pagination__item govuk-pagination__item--ellipsis">'
                             '&ctdot;</li>')
                continue
            on = " govuk-pagination__item--current" if page == c.data["current"] else ""
            items.append(f'<li class="govuk-pagination__item{on}" style="display:block"><a '
                         f'class="govuk-link '
                         f'govuk-pagination__link" href="#">{page}</a></li>')
        before = (f'<div class="govuk-pagination__prev"><a class="govuk-link '
                  f'govuk-pagination__link" '
                  f'href="#">{arrow}<span class="govuk-pagination__link-title">Previous</span></a>'
                  "</div>") if c.width > 400 else ""
        return (f'<nav class="govuk-pagination" style="margin:0;display:flex;'
                f'flex-wrap:wrap">{before}<ul class='
                f'"govuk-pagination__list">{"".join(items)}</ul></nav>')

    def breadcrumb(self, c: Component) -> str:
        items = "".join(f'<li class="govuk-breadcrumbs__list-item"><a '
                        f'class="govuk-breadcrumbs__link" href="#">{label}</a></li>'
                        for label in c.data["trail"][:-1])
        return (f'<nav class="govuk-breadcrumbs"><ol class="govuk-breadcrumbs__list">{items}<li '
                f'class='
                f'"govuk-breadcrumbs__list-item">{c.data["trail"][-1]}</li></ol>'
                f'</nav>' + navigation.breadcrumb_title(self, c))

    def stats(self, c: Component) -> str:
        if c.variant % 3:
            return showcase.stats(self, c)
        rows = "".join(f'<div class="govuk-summary-list__row"><dt class="govuk-summary-list__key" '
                       f'style="color:inherit">'
                       f'{item["label"]}</dt><dd class="govuk-summary-list__value" '
                       f'style="color:inherit">{item["value"]}</dd></div>'
                       for item in c.data["items"])
        return f'<dl class="govuk-summary-list" style="margin:0">{rows}</dl>'


def _item(name: str, state: str, on: bool) -> str:
    """The classes of a block's element, with its modifier when it is on."""
    return f"govuk-{name} govuk-{name}--{state}" if on else f"govuk-{name}"


KITS: tuple[Kit, ...] = (GovUK(),)
