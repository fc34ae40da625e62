"""Procedural pictures as small SVGs: landscapes, cities, shapes, products, faces, soft photos."""

import base64
import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise

_URL = re.compile(r"picture:([a-z]+):(\d+):([0-9a-f]{6}):(\d+)x(\d+)")


def picture_url(style: str, seed: int, colour: str, width: int, height: int) -> str:
    """The short form that templates write; `embed` turns it into a data URL."""
    return f"picture:{style}:{seed}:{colour.lstrip('#')}:{width}x{height}"


def embed(html: str) -> str:
    """Replace every short picture URL by the picture itself, as a data URL."""
    return _URL.sub(lambda m: _data_url(m[1], int(m[2]), m[3], int(m[4]), int(m[5])), html)


@lru_cache(maxsize=4096)
def _data_url(style: str, seed: int, colour: str, width: int, height: int) -> str:
    rng = random.Random(f"{style}/{seed}")
    hue = _hue(colour) if rng.random() < 0.4 else rng.randrange(360)
    body = _STYLES[style](rng, hue, width, height)
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" preserveAspectRatio="xMidYMid slice">{body}</svg>')
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _hue(colour: str) -> int:
    red, green, blue = (int(colour[i:i + 2], 16) / 255 for i in (0, 2, 4))
    high, low = max(red, green, blue), min(red, green, blue)
    if high == low:
        return 220
    span = high - low
    if high == red:
        return int(60 * ((green - blue) / span)) % 360
    if high == green:
        return int(60 * ((blue - red) / span + 2))
    return int(60 * ((red - green) / span + 4))


def _hsl(hue: float, saturation: float, light: float) -> str:
    return f"hsl({hue % 360:.0f},{saturation:.0f}%,{light:.0f}%)"


def _sky(top: str, bottom: str, name: str = "s") -> str:
    return (f'<defs><linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">'
            f'<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
            f'</linearGradient></defs><rect width="100%" height="100%" fill="url(#{name})"/>')


def landscape(rng: random.Random, hue: int, w: int, h: int) -> str:
    """Hills or mountains in three depths under a sky with a sun."""
    sky_hue = rng.choice((200, 210, 25, 340, 265, hue))
    parts = [_sky(_hsl(sky_hue, 60, rng.randint(45, 70)), _hsl(sky_hue + 25, 75, 86))]
    parts.append(f'<circle cx="{rng.uniform(.15, .85) * w:.0f}" '
                 f'cy="{rng.uniform(.15, .45) * h:.0f}"'
                 f' r="{h * rng.uniform(.06, .13):.0f}" fill="#fff6d5" opacity=".9"/>')
    sharp = rng.random() < 0.5
    for depth in range(3):
        level = h * (0.48 + depth * 0.17)
        points = [(x * w / 6, level + rng.uniform(-.16, .09) * h) for x in range(7)]
        path = f"M0 {h} L0 {points[0][1]:.0f}"
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (x0 + x1) / 2
            path += (f" L{middle:.0f} {min(y0, y1) - h * .05:.0f} L{x1:.0f} {y1:.0f}" if sharp else
                     f" C{middle:.0f} {y0:.0f} {middle:.0f} {y1:.0f} {x1:.0f} {y1:.0f}")
        fill = _hsl(hue + depth * 8, 30 + depth * 8, 58 - depth * 16)
        parts.append(f'<path d="{path} L{w} {h} Z" fill="{fill}"/>')
    if rng.random() < 0.4:
        parts.append(f'<rect y="{h * .86:.0f}" width="{w}" height="{h}" fill="{_hsl(205, 55, 45)}"'
                     ' opacity=".85"/>')
    return "".join(parts)


def city(rng: random.Random, hue: int, w: int, h: int) -> str:
    """A skyline with lit windows."""
    night = rng.random() < 0.5
    parts = [_sky(_hsl(hue, 45, 18 if night else 72), _hsl(hue + 30, 60, 38 if night else 92))]
    x = -rng.uniform(0, 20)
    while x < w:
        wide, tall = rng.uniform(.07, .15) * w, rng.uniform(.25, .78) * h
        shade = rng.randint(10, 24) if night else rng.randint(38, 62)
        parts.append(f'<rect x="{x:.0f}" y="{h - tall:.0f}" width="{wide:.0f}" height="{tall:.0f}"'
                     f' fill="{_hsl(hue + rng.randint(-20, 20), 28, shade)}"/>')
        for column in range(3):
            for row in range(int(tall / (h * .1))):
                if rng.random() < 0.45:
                    parts.append(f'<rect x="{x + wide * (.16 + column * .27):.0f}" '
                                 f'y="{h - tall + h * (.05 + row * .1):.0f}" '
                                 f'width="{wide * .14:.0f}"'
                                 f' height="{h * .045:.0f}" fill="#ffe7a8" opacity=".85"/>')
        x += wide + rng.uniform(0, .02) * w
    return "".join(parts)


def abstract(rng: random.Random, hue: int, w: int, h: int) -> str:
    """Large translucent circles and waves on a gradient."""
    parts = [_sky(_hsl(hue, 70, 50), _hsl(hue + rng.randint(30, 80), 75, 62))]
    for _ in range(rng.randint(3, 6)):
        parts.append(f'<circle cx="{rng.uniform(0, w):.0f}" cy="{rng.uniform(0, h):.0f}" '
                     f'r="{rng.uniform(.12, .5) * h:.0f}" '
                     f'fill="{_hsl(hue + rng.randint(-60, 60), 80, 70)}"'
                     f' opacity="{rng.uniform(.25, .6):.2f}"/>')
    for i in range(rng.randint(1, 3)):
        y = h * (.5 + i * .16)
        parts.append(f'<path d="M0 {y:.0f} C{w * .3:.0f} {y - h * rng.uniform(-.3, .3):.0f} '
                     f'{w * .6:.0f} {y + h * rng.uniform(-.3, .3):.0f} {w} {y:.0f} L{w} {h} '
                     f'L0 {h}Z" '
                     f'fill="{_hsl(hue + i * 25, 65, 30 + i * 9)}" opacity=".7"/>')
    return "".join(parts)


def shapes(rng: random.Random, hue: int, w: int, h: int) -> str:
    """A tiled composition of circles, quarter circles and triangles, as on a poster."""
    cells = rng.choice((2, 3, 4))
    size = h / cells
    tints = [_hsl(hue + d, 60, light) for d, light in ((0, 40), (35, 62), (190, 55), (60, 85))]
    parts = [f'<rect width="100%" height="100%" fill="{tints[3]}"/>']
    for row in range(cells):
        for column in range(int(w / size) + 1):
            x, y, fill = column * size, row * size, rng.choice(tints)
            form = rng.randrange(4)
            if form == 0:
                parts.append(f'<circle cx="{x + size / 2:.0f}" cy="{y + size / 2:.0f}" '
                             f'r="{size * .42:.0f}" fill="{fill}"/>')
            elif form == 1:
                parts.append(f'<path d="M{x:.0f} {y:.0f} h{size:.0f} a{size:.0f} {size:.0f} 0 0 1 '
                             f'-{size:.0f} {size:.0f}Z" fill="{fill}"/>')
            elif form == 2:
                parts.append(f'<path d="M{x:.0f} {y + size:.0f} L{x + size:.0f} {y + size:.0f} '
                             f'L{x + size:.0f} {y:.0f}Z" fill="{fill}"/>')
            else:
                parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{size:.0f}" '
                             f'height="{size:.0f}" fill="{fill}"/>')
    return "".join(parts)


def product(rng: random.Random, hue: int, w: int, h: int) -> str:
    """One object on a table: a loaf, a jar, a mug, a box or a lamp."""
    parts = [_sky(_hsl(hue, 35, 93), _hsl(hue, 30, 84)),
             f'<rect y="{h * .72:.0f}" width="{w}" height="{h}" fill="{_hsl(hue + 20, 28, 74)}"/>',
             f'<ellipse cx="{w / 2:.0f}" cy="{h * .82:.0f}" rx="{h * .34:.0f}" ry="{h * .05:.0f}" '
             'fill="#000" opacity=".16"/>']
    x, base, u = w / 2, h * .82, h / 100
    main, dark = _hsl(hue + 180, 50, rng.randint(42, 62)), _hsl(hue + 180, 52, 28)
    objects = (
        f'<path d="M{x - 34 * u} {base} q-6-{34 * u} {12 * u}-{38 * u} h{44 * u} q{18 * u} 4 '
        f'{12 * u} {38 * u}Z" fill="hsl(30,55%,52%)"/><path d="M{x - 16 * u} {base - 34 * u} '
        f'l{8 * u} '
        f'{14 * u} M{x} {base - 34 * u} l{8 * u} {14 * u} M{x + 16 * u} {base - 34 * u} l{8 * u} '
        f'{14 * u}" stroke="hsl(36,70%,80%)" stroke-width="{3 * u}" fill="none"/>',
        f'<rect x="{x - 18 * u}" y="{base - 52 * u}" width="{36 * u}" height="{52 * u}" '
        f'rx="{6 * u}"'
        f' fill="{main}"/><rect x="{x - 15 * u}" y="{base - 60 * u}" width="{30 * u}" '
        f'height="{9 * u}"'
        f' rx="{2 * u}" fill="{dark}"/><rect x="{x - 18 * u}" y="{base - 36 * u}" width="{36 * u}"'
        f' height="{18 * u}" fill="#fff" opacity=".8"/>',
        f'<rect x="{x - 20 * u}" y="{base - 38 * u}" width="{40 * u}" height="{38 * u}" '
        f'rx="{5 * u}"'
        f' fill="{main}"/><circle cx="{x + 24 * u}" cy="{base - 20 * u}" r="{9 * u}" fill="none"'
        f' stroke="{main}" stroke-width="{5 * u}"/><ellipse cx="{x}" cy="{base - 38 * u}" '
        f'rx="{20 * u}"'
        f' ry="{4 * u}" fill="{dark}"/>',
        f'<path d="M{x - 28 * u} {base} v-{38 * u} l{28 * u}-{12 * u} {28 * u} {12 * u} v{38 * u}Z"'
        f' fill="{main}"/><path d="M{x - 28 * u} {base - 38 * u} l{28 * u} {10 * u} {28 * u}'
        f'-{10 * u}'
        f' M{x} {base - 28 * u} V{base}" stroke="{dark}" stroke-width="{2 * u}" fill="none"/>',
        f'<path d="M{x - 22 * u} {base - 40 * u} l{10 * u}-{24 * u} h{24 * u} l{10 * u} {24 * u}Z"'
        f' fill="{main}"/><rect x="{x - 2 * u}" y="{base - 40 * u}" width="{4 * u}" '
        f'height="{38 * u}"'
        f' fill="{dark}"/><rect x="{x - 14 * u}" y="{base - 4 * u}" width="{28 * u}" '
        f'height="{4 * u}"'
        f' rx="{2 * u}" fill="{dark}"/>',
    )
    return "".join(parts) + rng.choice(objects)


def face(rng: random.Random, hue: int, w: int, h: int) -> str:
    """A flat portrait: shoulders, head and hair."""
    skin = rng.choice(("#f6d3b8", "#e8b58f", "#c68a5e", "#8d5a3b", "#5f3a26", "#fbe0cf"))
    hair = rng.choice(("#2b2220", "#5a3a22", "#a8672c", "#d9b36c", "#7a7a80", "#31343f"))
    u, x = h / 100, w / 2
    long_hair = rng.random() < 0.45
    parts = [f'<rect width="100%" height="100%" fill="{_hsl(hue, 45, rng.randint(70, 86))}"/>']
    if long_hair:
        parts.append(f'<rect x="{x - 24 * u}" y="{24 * u}" width="{48 * u}" height="{52 * u}" '
                     f'rx="{20 * u}" fill="{hair}"/>')
    parts.append(f'<path d="M{x - 38 * u} {h} q0-{30 * u} {38 * u}-{30 * u} t{38 * u} {30 * u}Z" '
                 f'fill="{_hsl(hue + rng.randint(90, 220), 45, rng.randint(30, 55))}"/>'
                 f'<rect x="{x - 7 * u}" y="{56 * u}" width="{14 * u}" height="{20 * u}" '
                 f'rx="{6 * u}"'
                 f' fill="{skin}"/><circle cx="{x}" cy="{44 * u}" r="{19 * u}" fill="{skin}"/>'
                 f'<path d="M{x - 20 * u} {44 * u} q0-{26 * u} {20 * u}-{26 * u} t{20 * u}'
                 f' {26 * u} '
                 f'q-{8 * u}-{12 * u} -{20 * u}-{12 * u} t-{20 * u} {12 * u}Z" fill="{hair}"/>')
    if rng.random() < 0.3:
        parts.append(f'<g fill="none" stroke="#333" stroke-width="{1.6 * u}"><circle '
                     f'cx="{x - 7 * u}"'
                     f' cy="{46 * u}" r="{5 * u}"/><circle cx="{x + 7 * u}" cy="{46 * u}" '
                     f'r="{5 * u}"/></g>')
    return "".join(parts)


def photo(rng: random.Random, hue: int, w: int, h: int) -> str:
    """A blurred, photograph-like mix of light and colour."""
    parts = ['<defs><filter id="b" x="-30%" y="-30%" width="160%" height="160%">'
             f'<feGaussianBlur stdDeviation="{h / rng.randint(9, 22):.0f}"/></filter></defs>'
             f'<rect width="100%" height="100%" fill="{_hsl(hue, 35, rng.randint(25, 60))}"/>'
             '<g filter="url(#b)">']
    for _ in range(9):
        parts.append(f'<ellipse cx="{rng.uniform(0, w):.0f}" cy="{rng.uniform(0, h):.0f}" '
                     f'rx="{rng.uniform(.1, .35) * w:.0f}" ry="{rng.uniform(.08, .3) * h:.0f}" '
                     f'fill="{_hsl(hue + rng.gauss(0, 45), 50, rng.randint(15, 85))}" '
                     f'opacity=".8"/>')
    return "".join(parts) + "</g>"


_STYLES: Mapping[str, Callable[[random.Random, int, int, int], str]] = {
    "landscape": landscape, "city": city, "abstract": abstract, "shapes": shapes,
    "product": product, "face": face, "photo": photo,
}
