"""Draws components in headless Chromium: one page per framework and theme, its body swapped."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import CDPSession, Page, Route, sync_playwright

from tools.sample_library.content import Component
from tools.sample_library.icons import NODE_MODULES
from tools.sample_library.kit import Kit
from tools.sample_library.pictures import embed

HERE = Path(__file__).parent
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
         "--font-render-hinting=none", "--hide-scrollbars")
FONT_FILES = {"Inter": "inter", "Roboto": "roboto", "Lato": "lato", "Nunito": "nunito",
              "Source Sans 3": "source-sans-3", "IBM Plex Sans": "ibm-plex-sans",
              "Neucha": "neucha", "Cabin Sketch": "cabin-sketch"}
MAX_HEIGHT = 1400

# Swaps the component in and answers its height once its pictures are decoded.
_SWAP = """async ([look, html, width, padding]) => {
  const sheet = document.getElementById('look');
  if (sheet.textContent !== look) sheet.textContent = look;
  const stage = document.getElementById('stage');
  stage.style.width = width + 'px'; stage.style.padding = padding + 'px';
  stage.innerHTML = html;
  await Promise.all([...stage.querySelectorAll('img')].map(i => i.decode().catch(() => {})));
  await document.fonts.ready;
  return [Math.ceil(stage.getBoundingClientRect().height), stage.scrollWidth];
}"""


@dataclass(frozen=True)
class Shot:
    """A screenshot's bytes and size; `overflow` is how far the content runs out of its width."""

    image: bytes
    width: int
    height: int
    overflow: int


def _font_faces() -> str:
    faces = []
    for family, folder in FONT_FILES.items():
        for weight in (400, 600, 700):
            file = NODE_MODULES / f"@fontsource/{folder}/files/{folder}-latin-{weight}-normal.woff2"
            if file.exists():
                faces.append(f"@font-face{{font-family:'{family}';font-weight:{weight};"
                             f"src:url('{file.as_uri()}')}}")
    return "".join(faces)


def page_html(kit: Kit, dark: bool) -> str:
    """The empty page of a framework and theme."""
    links = "".join(f'<link rel="stylesheet" href="{(NODE_MODULES / sheet).as_uri()}">'
                    for sheet in kit.sheets(dark))
    layout = (HERE / "layout.css").read_text(encoding="utf-8")
    return (f'<!doctype html><html lang="en" {kit.html_attributes(dark)}><head><meta '
            f'charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><style>{_font_faces()}'
            f'</style>{links}'
            f'<style>{layout}{kit.look}</style><style id="look"></style></head>'
            f'<body class="{kit.body_class(dark)}"><div id="stage"></div></body></html>')


class Browser:
    """One Chromium page that draws components; reloads only when framework or theme change."""

    def __init__(self, page: Page, workdir: Path) -> None:
        self._page = page
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._workdir = workdir
        self._loaded: tuple[str, bool] | None = None
        self._width = 0

    def _load(self, kit: Kit, dark: bool) -> None:
        if self._loaded == (kit.name, dark):
            return
        file = self._workdir / f"{kit.name}-{'dark' if dark else 'light'}-{os.getpid()}.html"
        file.write_text(page_html(kit, dark), encoding="utf-8")
        self._page.goto(file.as_uri(), wait_until="load")
        self._loaded = (kit.name, dark)

    def draw(self, kit: Kit, component: Component, *, image_format: str = "png",
             max_width: int | None = None, quality: int = 88) -> Shot:
        """The component's screenshot, scaled down to `max_width` pixels where it is wider."""
        self._load(kit, component.dark)
        if self._width != component.width:
            self._page.set_viewport_size({"width": component.width, "height": 900})
            self._width = component.width
        height, wide = self._page.evaluate(_SWAP, [
            kit.look_css(component), embed(kit.render(component)), component.width,
            kit.padding(component)])
        height = max(8, min(height, MAX_HEIGHT))
        scale = min(1.0, max_width / component.width) if max_width else 1.0
        options: dict[str, object] = {
            "format": image_format, "captureBeyondViewport": height > 900, "optimizeForSpeed": True,
            "clip": {"x": 0, "y": 0, "width": component.width, "height": height, "scale": scale}}
        if image_format != "png":
            options["quality"] = quality
        answer = self._cdp.send("Page.captureScreenshot", options)
        return Shot(base64.b64decode(answer["data"]), round(component.width * scale),
                    round(height * scale), max(0, wide - component.width))


def _local_only(route: Route) -> None:
    if route.request.url.startswith(("file:", "data:")):
        route.continue_()
    else:
        route.abort()


@contextmanager
def open_browser(workdir: Path) -> Iterator[Browser]:
    """A Chromium that loads local files only; `CHROMIUM` names another browser binary."""
    workdir.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=list(FLAGS))
        try:
            page = chromium.new_page(viewport={"width": 960, "height": 900})
            page.route(lambda url: not url.startswith(("file:", "data:")), _local_only)
            yield Browser(page, workdir)
        finally:
            chromium.close()
