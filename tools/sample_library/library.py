"""Makes the committed sample library: components, updates for the demo, licences and a README."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.sample_library.browser import Browser, Shot, open_browser
from tools.sample_library.bundles import package, slug, write_bundle
from tools.sample_library.content import KINDS, LIBRARY_SEED, Component, make_component
from tools.sample_library.frameworks import KITS
from tools.sample_library.icons import NODE_MODULES
from tools.sample_library.kit import Kit
from tools.sample_library.likeness import difference_hash, distance

SKIN_KINDS = ("card", "navbar", "pricing-table", "login-form", "alert", "tabs", "modal", "hero")
TOO_LIKE = 14  # Hashes nearer than this look the same at a glance.
UPDATED = (("bootstrap", "pricing-table"), ("bulma", "card"), ("tabler", "chart"))
NEW = ("pico", "pricing-table")

README = """# Sample library

Renders of real components of open-source CSS frameworks with invented content; used by the demo
and the tests. Made by `python -m tools.sample_library library --out sample_library`.

- `components/<component_id>/attributes.json`: id, name, client, category (the kind),
  tags, updated_at
- `components/<component_id>/config.json`: framework and version, theme, width, kind, seed, accent
- `components/<component_id>/format.html`: the markup as a Jinja template over the records
- `components/<component_id>/records.json`: the content
- `components/<component_id>/screenshot.png` (a few are `.jpg` or `.webp`)
- `updates/`: later revisions of three components and one new component, to simulate edits
- `LICENSES.md`: the frameworks, their versions and licences
"""


@dataclass
class Taken:
    """What the library already shows, so that nothing is shown twice."""

    hashes: list[int]

    def is_new(self, image: bytes) -> bool:
        made = difference_hash(image)
        if any(distance(made, other) < TOO_LIKE for other in self.hashes):
            return False
        self.hashes.append(made)
        return True


def plan() -> Iterator[tuple[str, str, int]]:
    """Framework, kind and first seed of every component; skins of Bootstrap show fewer kinds."""
    number = 0
    for name in KITS:
        for kind in KINDS:
            number += 1
            if name.startswith("bootswatch") and kind not in SKIN_KINDS:
                continue
            yield name, kind, LIBRARY_SEED + number * 100


def fitting(browser: Browser, kit: Kit, kind: str, seed: int, taken: Taken,
            client: str | None = None) -> tuple[Component, Shot]:
    """The first component from `seed` on that fits its width and looks like no other."""
    for attempt in range(100):
        c = make_component(kind, seed + attempt, kit.name)
        if client and c.business.name != client:
            continue
        shot = browser.draw(kit, c)
        if shot.overflow <= 1 and taken.is_new(shot.image):
            return c, shot
    raise SystemExit(f"no fitting {kit.name} {kind} from seed {seed} on")


def _suffix(number: int, kind: str) -> str:
    """A few pictures-heavy components are kept as jpg or webp, as in real libraries."""
    if kind in ("gallery", "hero", "card"):
        return ("png", "jpg", "png", "webp", "png", "png")[number % 6]
    return "png"


def make_library(out: Path) -> None:
    """Write the whole library anew."""
    taken, numbers, made = Taken([]), Counter[str](), {}
    for part in ("components", "updates"):
        shutil.rmtree(out / part, ignore_errors=True)
    with tempfile.TemporaryDirectory() as pages, open_browser(Path(pages)) as browser:
        for name, kind, seed in plan():
            c, shot = fitting(browser, KITS[name], kind, seed, taken)
            numbers[kind] += 1
            component_id = f"{slug(c.business.name)}-{kind}-{numbers[kind]:03d}"
            made[name, kind] = component_id, c
            write_bundle(out / "components" / component_id, c, KITS[name], shot.image,
                         _suffix(numbers[kind], kind))
        for name, kind in UPDATED:
            component_id, old = made[name, kind]
            c, shot = fitting(browser, KITS[name], kind, old.seed + 200_000, taken,
                              old.business.name)
            write_bundle(out / "updates" / component_id, c, KITS[name], shot.image, "png", 2)
        name, kind = NEW
        c, shot = fitting(browser, KITS[name], kind, LIBRARY_SEED + 900_000, taken)
        component_id = f"{slug(c.business.name)}-{kind}-{numbers[kind] + 1:03d}"
        write_bundle(out / "updates" / component_id, c, KITS[name], shot.image, "png", 2)
    (out / "README.md").write_text(README, encoding="utf-8")
    (out / "LICENSES.md").write_text(licences(), encoding="utf-8")
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{sum(numbers.values())} components, {size / 1e6:.1f} MB, {len(KITS)} looks")


def licences() -> str:
    """LICENSES.md: every framework, icon set and font that is seen in the screenshots."""
    rows = ["# Licences", "", "The screenshots are renders of these packages' CSS with invented "
                              "content; "
            "no framework's site, logo or photograph is shown.", "",
            "| Package | Version | Licence |", "| --- | --- | --- |"]
    names = {kit.package for kit in KITS.values()}
    names |= {"@primer/primitives", "bootstrap-icons", "lucide-static",
        "@material-design-icons/svg"}
    names |= {f"@fontsource/{folder.name}" for folder in (NODE_MODULES / "@fontsource").iterdir()}
    for name in sorted(names):
        found = package(name)
        rows.append(f"| {name} | {found['version']} | {found.get('license', 'see package')} |")
    return "\n".join(rows) + "\n"
