"""One self-contained HTML page of screenshots: no file beside it, no script, nothing loaded."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import jinja2

from library_pipeline.cli.source.screen import Screen
from library_pipeline.cli.source.shots import Shot

_TEMPLATE: Final = Path(__file__).with_name("page.html")


def page_of(
    name: str, address: str, shots: Sequence[Shot], screen: Screen, taken_at: datetime
) -> str:
    """Return the page; all text in it is escaped, and `screen` cleans it."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        name=screen.clean(name),
        address=screen.clean(address),
        taken_at=taken_at,
        cards=[_card(shot, screen) for shot in shots if shot.picture],
        failed=[_card(shot, screen) for shot in shots if not shot.picture],
    )


def _card(shot: Shot, screen: Screen) -> dict[str, str]:
    data = base64.b64encode(shot.picture or b"").decode("ascii")
    return {
        "id": screen.clean(shot.component_id) or "without an id",
        "name": screen.clean(shot.name),
        "reason": screen.clean(shot.reason),
        "picture": f"data:image/webp;base64,{data}",
    }
