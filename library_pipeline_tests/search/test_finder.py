"""Questions of several examples, over a real index by the demo encoder."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from library_pipeline.database.connection import Database, pooled
from library_pipeline.index.encoders import load_registered
from library_pipeline.search.finder import Finder
from library_pipeline.search.query import (
    UNLIKE,
    Crop,
    Example,
    Query,
    SearchError,
    parse_attributes,
    parse_crop,
)
from library_pipeline.search.ranking import Filters, Match
from library_pipeline.settings import Settings, load_settings
from tools.testing.bundles import picture
from tools.testing.indexing import Sample, index


@pytest.fixture
def finder(database: Database) -> Finder:
    settings: Settings = load_settings()
    samples = [Sample(f"c-{number}", picture(f"c-{number}")) for number in range(8)]
    samples += [Sample(f"copy-{number}", picture("c-1")) for number in range(5)]
    index(database, settings, samples)
    return Finder(database, settings.all_encoders)


def ids(matches: list[Match]) -> list[str]:
    return [match.component_id for match in matches]


def like(*components: str, unlike: str | None = None) -> tuple[Example, ...]:
    wanted = [Example(component=each) for each in components]
    return (*wanted, *([Example(component=unlike, weight=UNLIKE)] if unlike else []))


def test_a_question_that_waits_for_its_model_keeps_no_connection(
    finder: Finder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading takes seconds: the service's few connections are for those who need no model."""
    asked, loaded = threading.Event(), threading.Event()

    def slowly(*args: Any) -> Any:
        asked.set()
        assert loaded.wait(30)
        return load_registered(*args)

    monkeypatch.setattr("library_pipeline.search.vectors.load_registered", slowly)
    with pooled(database, 1) as kept, ThreadPoolExecutor(1) as other:
        pooled_finder = Finder(kept, load_settings().all_encoders)
        waiting = other.submit(pooled_finder.find, Query((Example(text="a card"),)))
        try:
            assert asked.wait(30)
            assert ids(pooled_finder.find(Query((Example(component="c-1"),))))
        finally:
            loaded.set()
        assert len(waiting.result(60)) == 10


def test_several_examples_find_what_is_like_all_of_them(finder: Finder) -> None:
    """Their unit vectors add up, so the best is like both; neither is a result itself."""
    both = finder.find(Query(like("c-2", "c-5"), k=20))
    assert not {"c-2", "c-5"} & set(ids(both))
    one, other = (
        {match.component_id: match.score for match in finder.find(Query(like(each), k=20))}
        for each in ("c-2", "c-5")
    )
    expected = sorted(ids(both), key=lambda each: -(one[each] + other[each]))
    assert one.keys() - {"c-5"} == set(ids(both))
    assert expected[:3] == ids(both)[:3]


def test_not_like_this_moves_its_look_alikes_down(finder: Finder) -> None:
    """Those fall behind the others further than before: the question has turned away from them."""
    copies = [f"copy-{number}" for number in range(5)]

    def lead(query: Query) -> float:
        scores = {match.component_id: match.score for match in finder.find(query)}
        others = [scores[each] for each in scores if each not in (*copies, "c-1")]
        return float(np.mean(others) - np.mean([scores[each] for each in copies]))

    assert lead(Query(like("c-0", unlike="c-1"), k=20)) > lead(Query(like("c-0"), k=20)) + 0.02


def test_look_alikes_are_folded_under_the_best_of_them(finder: Finder) -> None:
    found = finder.find(Query(like("c-0"), k=20, collapse=0.999))
    (copies,) = [match for match in found if match.folded]
    assert [copies.component_id, *copies.folded] == [
        "c-1", "copy-0", "copy-1", "copy-2", "copy-3", "copy-4",
    ]  # fmt: skip
    assert [match.rank for match in found] == [1, 2, 3, 4, 5, 6, 7]
    second = finder.find(Query(like("c-0"), k=3, skip=3, collapse=0.999))
    assert ids(second) == ids(found)[3:6]


def test_a_crop_asks_with_a_part_of_the_picture(finder: Finder) -> None:
    shot = Image.open(io.BytesIO(picture("c-3"))).convert("RGB")
    wide = Image.new("RGB", (shot.width * 2, shot.height), "white")
    wide.paste(shot, (shot.width, 0))
    cropped = Query((Example(picture=wide, crop=Crop(0.5, 0, 1, 1)),), k=1)
    (match,) = finder.find(cropped)
    assert match.component_id == "c-3"
    assert match.score == pytest.approx(1, abs=2e-3)


def test_a_text_and_a_picture_count_together(finder: Finder) -> None:
    alone = finder.find(Query((Example(text="a button"),), 20))
    shot = Image.open(io.BytesIO(picture("c-4"))).convert("RGB")
    both = finder.find(Query((Example(text="a button", weight=0.2), Example(picture=shot)), k=20))
    assert both[0].component_id == "c-4"
    assert both[0].score > alone[0].score


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda: Query(()), "nothing to search for"),
        (lambda: Query((Example(text="a", weight=-1),)), "one of what to look like"),
        (Example, "exactly one of"),
        (lambda: Example(text="a", component="b"), "exactly one of"),
        (lambda: Example(text=" "), "the text to search for is empty"),
        (lambda: Example(text="a", weight=float("nan")), "weight is nan"),
        (lambda: Query((Example(text="a"),), collapse=0), "collapse is 0"),
        (lambda: Crop(0.5, 0, 0.5, 1), "is no part of a picture"),
        (lambda: parse_crop("0,0,1"), "is not left,top,right,bottom"),
        (lambda: parse_crop("0,0,1,nan"), "is no part of a picture"),
        (lambda: parse_attributes(["dark"]), "'dark' is not NAME=VALUE"),
        (lambda: parse_attributes(["a=1", "a=2"]), "'a=2' is given twice"),
        (lambda: parse_attributes(["a=1", "a.b=2"]), "is a value and has parts"),
    ],
)
def test_what_cannot_be_asked_says_why(ask: object, problem: str) -> None:
    with pytest.raises(SearchError, match=problem):
        ask()  # type: ignore[operator]


def test_a_question_about_nobody_or_against_itself_says_so(finder: Finder) -> None:
    with pytest.raises(SearchError, match="no searchable component with the id 'nobody'"):
        finder.find(Query(like("c-0", unlike="nobody")))
    with pytest.raises(SearchError, match="cancel each other out"):
        finder.find(Query((Example(component="c-0"), Example(component="c-0", weight=-1))))


def test_attributes_are_typed_as_json_has_them() -> None:
    words = ["theme=dark", "layout.columns=3", 'sku="3"', "sold=true", "note=a=b", "price=NaN"]
    assert parse_attributes(words) == {
        "theme": "dark",
        "layout": {"columns": 3},
        "sku": "3",
        "sold": True,
        "note": "a=b",
        "price": "NaN",
    }


def test_filters_and_paging_reach_the_index(finder: Finder) -> None:
    query = Query(like("c-0"), k=2, skip=1, filters=Filters(excluding=("c-1",)))
    whole = finder.find(Query(like("c-0"), k=20))
    rest = [match.component_id for match in whole if match.component_id != "c-1"]
    assert ids(finder.find(query)) == rest[1:3]
