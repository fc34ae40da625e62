"""Charts as inline SVG: bars, stacked and horizontal bars, lines, areas and donuts."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.sample_library.pictures import _hsl, _hue

W, H = 560, 240
LEFT, BOTTOM, TOP = 36, 26, 12


def chart_svg(data: dict[str, Any], colour: str) -> str:
    """The chart of a `chart` component's data, text in the page's own colour."""
    hue = _hue(colour.lstrip("#"))
    tints = [colour, _hsl(hue + 40, 60, 62), _hsl(hue + 160, 45, 52), _hsl(hue + 80, 55, 58),
             _hsl(hue + 220, 50, 66)]
    body = _DRAWERS[data["style"]](data, tints)
    return (f'<svg viewBox="0 0 {W} {H}" width="100%" role="img" aria-label="{data["title"]}" '
            f'style="display:block;font-size:11px" fill="currentColor">{body}</svg>')


def _axes(data: dict[str, Any]) -> str:
    parts = []
    for step in range(5):
        y = TOP + (H - TOP - BOTTOM) * step / 4
        if data["grid"] or step == 4:
            parts.append(f'<path d="M{LEFT} {y:.0f}H{W - 6}" stroke="currentColor" '
                         'stroke-opacity=".16"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end" opacity=".65">'
                     f'{100 - step * 25}</text>')
    span = (W - LEFT - 10) / len(data["labels"])
    for i, label in enumerate(data["labels"]):
        parts.append(f'<text x="{LEFT + span * (i + .5):.0f}" y="{H - 8}" text-anchor="middle" '
                     f'opacity=".65">{label}</text>')
    return "".join(parts)


def _y(value: float) -> float:
    return TOP + (H - TOP - BOTTOM) * (1 - value / 100)


def _bars(data: dict[str, Any], tints: Sequence[str]) -> str:
    span = (W - LEFT - 10) / len(data["labels"])
    sets = [s for s in (data["values"], data["second"]) if s]
    wide = span * .66 / len(sets)
    parts = [_axes(data)]
    for which, values in enumerate(sets):
        for i, value in enumerate(values):
            x = LEFT + span * (i + .17) + wide * which
            parts.append(f'<rect x="{x:.1f}" y="{_y(value):.1f}" width="{wide - 2:.1f}" rx="2" '
                         f'height="{H - BOTTOM - _y(value):.1f}" fill="{tints[which]}"/>')
    return "".join(parts)


def _stacked(data: dict[str, Any], tints: Sequence[str]) -> str:
    span = (W - LEFT - 10) / len(data["labels"])
    parts = [_axes(data)]
    for i, value in enumerate(data["values"]):
        x, bottom = LEFT + span * (i + .2), float(H - BOTTOM)
        for tint, share in zip(tints, (.5, .3, .2), strict=False):
            tall = (H - BOTTOM - _y(value)) * share
            bottom -= tall
            parts.append(f'<rect x="{x:.1f}" y="{bottom:.1f}" width="{span * .6:.1f}" '
                         f'height="{tall:.1f}" fill="{tint}"/>')
    return "".join(parts)


def _horizontal(data: dict[str, Any], tints: Sequence[str]) -> str:
    parts, row = [], (H - 12) / len(data["labels"])
    for i, (label, value) in enumerate(zip(data["labels"], data["values"], strict=True)):
        y = 8 + row * i
        parts.append(f'<text x="0" y="{y + row * .42:.0f}" font-size="13">{label}</text>'
                     f'<rect x="84" y="{y + row * .1:.0f}" width="{W - 140}" rx="4" '
                     f'height="{row * .5:.0f}" opacity=".1"/><rect x="84" y="{y + row * .1:.0f}" '
                     f'width="{(W - 140) * value / 100:.0f}" rx="4" height="{row * .5:.0f}" '
                     f'fill="{tints[0]}"/><text x="{W - 44}" y="{y + row * .42:.0f}" '
                     f'font-size="13">{value:.0f}%</text>')
    return "".join(parts)


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    span = (W - LEFT - 10) / len(values)
    return [(LEFT + span * (i + .5), _y(v)) for i, v in enumerate(values)]


def _line(data: dict[str, Any], tints: Sequence[str], fill: bool = False) -> str:
    parts = [_axes(data)]
    for which, values in enumerate(s for s in (data["values"], data["second"]) if s):
        points = _points(values)
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if fill:
            parts.append(f'<path d="{path} L{points[-1][0]:.1f} {H - BOTTOM} L{points[0][0]:.1f} '
                         f'{H - BOTTOM}Z" fill="{tints[which]}" opacity=".28"/>')
        parts.append(f'<path d="{path}" fill="none" stroke="{tints[which]}" stroke-width="2.5" '
                     'stroke-linejoin="round"/>')
        if not fill:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{tints[which]}"/>'
                      for x, y in points]
    return "".join(parts)


def _area(data: dict[str, Any], tints: Sequence[str]) -> str:
    return _line(data, tints, fill=True)


def _donut(data: dict[str, Any], tints: Sequence[str]) -> str:
    total, turn, radius = sum(data["values"]), 0.0, 78
    around = 2 * math.pi * radius
    parts = []
    for i, (label, value) in enumerate(zip(data["labels"], data["values"], strict=True)):
        share = value / total
        parts.append(f'<circle cx="150" cy="120" r="{radius}" fill="none" stroke="{tints[i]}" '
                     f'stroke-width="38" stroke-dasharray="{around * share - 2:.1f} {around:.1f}" '
                     f'transform="rotate({turn * 360 - 90:.1f} 150 120)"/>')
        y = 122 + (i - (len(data["labels"]) - 1) / 2) * 30
        parts.append(f'<rect x="316" y="{y - 10:.0f}" width="14" height="14" rx="3" '
                     f'fill="{tints[i]}"/><text x="340" y="{y + 2:.0f}" font-size="14">{label}'
                     f'</text><text x="470" y="{y + 2:.0f}" font-size="14" opacity=".7">'
                     f'{share:.0%}</text>')
        turn += share
    parts.append(f'<text x="150" y="127" font-size="22" font-weight="700" text-anchor="middle">'
                 f'{data["total"]}</text>')
    return "".join(parts)


_DRAWERS: Mapping[str, Callable[[dict[str, Any], Sequence[str]], str]] = {
    "bars": _bars, "stacked": _stacked, "horizontal": _horizontal, "line": _line, "area": _area,
    "donut": _donut,
}
