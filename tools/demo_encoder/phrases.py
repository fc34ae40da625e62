"""What people may type, far beyond the captions: phrases that the sentence model places for us."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Final

from tools.demo_encoder.paraphrases import DEFINITIONS, PARAPHRASES
from tools.demo_encoder.synonyms import SYNONYMS


def _list(text: str, separator: str | None = None) -> tuple[str, ...]:
    """Return the words of `text`, or its parts between separators."""
    return tuple(" ".join(part.split()) for part in text.split(separator))


_SMALL: Final = frozenset(
    _list("""
    a an and as at by for from in into is it its of off on one or our out over per so some that
    the their them this to under up us what where which who with within your""")
)
_LOOKS: Final = _list("""
    small large wide narrow tall compact long short round rounded square flat dark light white
    black grey blue red green yellow orange purple pink colourful coloured bright pale bold thin
    outlined filled striped bordered shaded transparent simple plain modern old elegant minimal
    crowded empty full centred left right top bottom upper lower first last active selected open
    closed hidden sticky floating horizontal vertical stacked numbered highlighted important
    main secondary recent new popular free cheap expensive daily weekly monthly yearly personal
    public private mobile responsive interactive clickable""")
_THINGS: Final = _list("""
    button link icon arrow heading headline title subtitle text paragraph line label caption
    word number figure price amount percentage date month year currency picture image photo
    portrait avatar logo illustration drawing thumbnail video map menu list item entry row
    column cell grid table chart graph bar curve axis legend field form input checkbox switch
    password e-mail name address phone search result filter page section panel box frame window
    dialog overlay message notice warning error success hint question answer quote opinion
    review rating star comment customer client user member person team employee author company
    brand product plan package offer subscription discount feature benefit service shop cart
    order invoice payment account profile settings dashboard report metric counter total trend
    growth sale revenue visitor navigation breadcrumb path level category tag step tab header
    footer sidebar banner slogan welcome newsletter copyright privacy terms contact social
    article post news event course recipe hotel flight museum bank clinic bakery close cross
    chevron badge card tile strip stack column gallery album collection thumbnail dots pager
    page-number""")
_DEEDS: Final = _list("""
    open close show hide expand collapse choose select pick compare browse read write send save
    cancel confirm delete edit copy share print download upload buy order pay book subscribe
    join register enter type log-in log-out search find filter sort switch change move jump
    follow message invite rate recommend navigate return scroll""")
_PLACES: Final = _list(
    """
    at the top | at the bottom | on the left | on the right | in the middle | in a row | in a
    column | in a grid | below each other | next to each other | above the content | below the
    content | inside a box | in the corner | across the page | of a website | of an app | of a
    page | of a list | for a shop | for a company | for a customer | for a new user | on a
    coloured background | on a dark background""",
    "|",
)
_FRAMES: Final = ("{}", "{}", "a {}", "the {}", "show me a {}", "{} component", "{} on a website")


def near(one: str, other: str) -> bool:
    """Whether two phrases share half of the words that carry meaning."""
    first, second = _content(one), _content(other)
    shared = len(first & second)
    return shared > 0 and shared >= 0.5 * len(first | second)


def far_from_the_exam(phrases: Iterable[str]) -> list[str]:
    """Drop what comes near to a phrase of `paraphrases.py`: it would examine the memory."""
    exam = (*PARAPHRASES.values(), *DEFINITIONS.values())
    return [phrase for phrase in phrases if not any(near(phrase, asked) for asked in exam)]


def names(kind: str) -> list[str]:
    """Return the training names of a kind in the frames that people put around them."""
    plain = far_from_the_exam(SYNONYMS[kind])
    return sorted({frame.format(name) for name in plain for frame in _FRAMES})


def loose_phrases(count: int, seed: int = 0) -> list[str]:
    """Return up to `count` distinct phrases of a small grammar, most of them of no kind at all."""
    rng = Random(seed)
    drawn = dict.fromkeys(_phrase(rng) for _ in range(count))
    return far_from_the_exam(drawn)


def words() -> list[str]:
    """Return every word that the grammar and the names know, alone."""
    text = " ".join([*_LOOKS, *_THINGS, *_DEEDS, *(n for own in SYNONYMS.values() for n in own)])
    return far_from_the_exam(sorted(set(re.findall(r"[a-z]{3,}", text.lower()))))


def _phrase(rng: Random) -> str:
    look, thing, other, third = rng.choice(_LOOKS), *(rng.choice(_THINGS) for _ in range(3))
    deed, place = rng.choice(_DEEDS), rng.choice(_PLACES)
    several = rng.choice(("two", "three", "several", "many", "a few", "some"))
    phrase = rng.choice(
        (
            f"{look} {thing}",
            f"{thing} {other}",
            f"{thing} with {other}",
            f"{look} {thing} with a {other} and a {third}",
            f"{several} {thing}s {place}",
            f"{thing} and {other} {place}",
            f"{deed} a {thing}",
            f"{deed} the {thing} of a {other}",
            f"{look} {thing} to {deed} a {other}",
            f"{thing} {place}",
            f"{thing} that shows the {other}",
            f"{look} {thing} for the {other}",
            f"{thing}, {other} and {third}",
        )
    )
    return phrase.replace("-", " ")


def _content(phrase: str) -> set[str]:
    found = re.findall(r"[a-z]+", phrase.lower())
    return {word.removesuffix("s") for word in found if word not in _SMALL}
