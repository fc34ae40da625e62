"""What a mapping makes of items, beyond what presets ask for."""

from __future__ import annotations

from urllib.parse import urljoin

from hypothesis import given, settings
from hypothesis import strategies as st

from library_pipeline.settings.source_keys import MappingSettings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.http.rules import AllowedOrigins
from library_pipeline.sources.mapping import ItemMapping

BASES = (
    "https://cms.example.com", "https://cms.example.com/", "https://cms.example.com/a/b?limit=5",
    "https://cms.example.com/api/pages/", "https://cms.example.com/a;p/b;q?y#z",
    "https://cms.example.com//x/../y",
)  # fmt: skip
PIECES = ("/", "..", ".", "...", "a", "b.png", "~x", "-", "x..", "?q", "#f", ";p", "a b", "c:d", "")


class Anywhere:
    """A rule that allows every URL."""

    def check(self, url: str) -> None:
        """Allow it."""


@given(
    base=st.sampled_from(BASES),
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=6),
    between=st.sampled_from(("", "/")),
)
@settings(max_examples=500, deadline=None)
def test_relative_references(base: str, pieces: list[str], between: str) -> None:
    """Joining folder by folder is a short cut; it leads where RFC 3986 does."""
    reference = between.join(pieces)
    if not reference:
        return
    mapping = MappingSettings.model_validate({"files": {"screenshot": {"url": "file"}}})
    made = ItemMapping(mapping, source="s", prefix="", files=Anywhere())
    component = made.entry({"id": "1", "file": reference}, 0, base)
    assert component is not None and not isinstance(component, ManifestProblem)
    assert component.files["screenshot"].url == urljoin(base, reference)


def test_functions_of_what_is_not_there() -> None:
    """`merge` with null is Python's error, not JMESPath's; it must not end the whole listing."""
    mapping = MappingSettings.model_validate({"revision": ["merge(@, more)"]})
    origins = AllowedOrigins("https://cms.example.com")
    made = ItemMapping(mapping, source="s", prefix="", files=origins)
    problem = made.entry({"id": "1"}, 0, "https://cms.example.com/")
    assert isinstance(problem, ManifestProblem)
    assert problem.code == "manifest.expression_failed"
