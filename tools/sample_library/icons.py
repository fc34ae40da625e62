"""Icons from three open icon sets, by one vocabulary of names."""

from functools import cache
from pathlib import Path

NODE_MODULES = Path(__file__).parent / "node_modules"

# name: (bootstrap-icons, lucide, material)
_NAMES: dict[str, tuple[str, str, str]] = {
    "check": ("check-lg", "check", "check"), "edit": ("pencil", "pencil", "edit"),
    "copy": ("copy", "copy", "content_copy"), "trash": ("trash", "trash-2", "delete"),
    "share": ("share", "share-2", "share"), "download": ("download", "download", "download"),
    "print": ("printer", "printer", "print"), "folder": ("folder", "folder", "folder"),
    "list": ("list-ul", "list", "list"), "grid": ("grid", "layout-grid", "grid_view"),
    "pin": ("geo-alt", "map-pin", "place"), "calendar": ("calendar3", "calendar", "event"),
    "upload": ("upload", "upload", "upload"), "eye": ("eye", "eye", "visibility"),
    "left": ("chevron-left", "chevron-left", "chevron_left"),
    "right": ("chevron-right", "chevron-right", "chevron_right"),
    "down": ("chevron-down", "chevron-down", "expand_more"),
    "up": ("chevron-up", "chevron-up", "expand_less"),
    "close": ("x-lg", "x", "close"), "search": ("search", "search", "search"),
    "home": ("house", "house", "home"), "mail": ("envelope", "mail", "mail"),
    "people": ("people", "users", "group"), "person": ("person", "user", "person"),
    "star": ("star-fill", "star", "star"), "box": ("box", "package", "inventory_2"),
    "settings": ("gear", "settings", "settings"), "help": ("question-circle",
    "circle-question-mark",
                                                            "help"),
    "cart": ("cart", "shopping-cart", "shopping_cart"), "chart": ("bar-chart", "chart-column",
                                                                  "bar_chart"),
    "card": ("credit-card", "credit-card", "credit_card"), "clock": ("clock", "clock", "schedule"),
    "globe": ("globe", "globe", "language"), "bell": ("bell", "bell", "notifications"),
    "info": ("info-circle-fill", "info", "info"),
    "warning": ("exclamation-triangle-fill", "triangle-alert", "warning"),
    "success": ("check-circle-fill", "circle-check", "check_circle"),
    "danger": ("x-octagon-fill", "octagon-x", "error"), "heart": ("heart", "heart", "favorite"),
    "menu": ("list", "menu", "menu"), "lock": ("lock", "lock", "lock"),
    "leaf": ("flower1", "leaf", "spa"), "anchor": ("water", "anchor", "anchor"),
    "bolt": ("lightning-charge-fill", "zap", "bolt"), "sun": ("sun", "sun", "light_mode"),
    "hex": ("hexagon-fill", "hexagon", "hexagon"), "compass": ("compass", "compass", "explore"),
    "chat": ("chat-left-text", "message-square", "chat"), "phone": ("telephone", "phone", "call"),
}
_FOLDERS = {
    "bootstrap": (NODE_MODULES / "bootstrap-icons/icons", 0),
    "lucide": (NODE_MODULES / "lucide-static/icons", 1),
    "material": (NODE_MODULES / "@material-design-icons/svg/filled", 2),
    "material-round": (NODE_MODULES / "@material-design-icons/svg/round", 2),
}
LOGOS = ("hex", "leaf", "anchor", "bolt", "sun", "compass")


@cache
def icon(pack: str, name: str, size: float = 1) -> str:
    """The inline SVG of an icon, `size` em wide, in the text's colour."""
    folder, column = _FOLDERS[pack]
    source = (folder / f"{_NAMES[name][column]}.svg").read_text(encoding="utf-8")
    body = source[source.index(">", source.index("<svg")) + 1:source.rindex("</svg>")]
    box = "0 0 16 16" if pack == "bootstrap" else "0 0 24 24"
    paint = 'fill="none" stroke="currentColor" stroke-width="2"' if pack == "lucide" else (
        'fill="currentColor"')
    return (f'<svg class="sx-icon" style="width:{size}em;height:{size}em" viewBox="{box}" {paint} '
            f'aria-hidden="true">{" ".join(body.split())}</svg>')
