"""What is read to show which components look all but the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.records import Records, read_records

_SHOWN = """
with client as (
    select client, row_number() over () as code
    from (select distinct client from pipeline.component where removed_at is null) named
)
select k.number, client.code::integer as client,
       ((%(clients)s::text[] is null or c.client = any(%(clients)s))
        and (%(categories)s::text[] is null or c.category = any(%(categories)s)))::integer as fits
from pipeline.component c join client using (client)
join pipeline.compared k on k.screenshot_sha256 = c.screenshot_sha256
where c.removed_at is null and k.encoder_id = %(encoder)s
"""
_COMPONENTS = """
select k.number, c.component_id, c.name, c.client, c.category, c.screenshot_sha256
from pipeline.compared k join pipeline.component c using (screenshot_sha256)
where k.number = any(%s) and c.removed_at is null order by k.number, c.component_id
"""
_AMONG = """
select a, b, similarity from pipeline.look_alike where a = any(%(numbers)s) and b = any(%(numbers)s)
"""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which groups are asked for: with any of the clients and categories, across clients only."""

    clients: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    across: bool = False


ALL: Final = Narrowing()


@dataclass(frozen=True, slots=True)
class Shown:
    """A searchable component, as a group shows it."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str


def shown_components(
    connection: psycopg.Connection, encoder: RegisteredEncoder, narrowing: Narrowing
) -> Records:
    """Return an array of all searchable components whose screenshots `encoder` has compared.

    Its fields, all integers: the screenshot's `number`, a `client` as good as its name, and
    whether the component `fits` the client and category that are asked for.
    """
    dtype = np.dtype([("number", "i4"), ("client", "i4"), ("fits", "i4")])
    terms = {
        "encoder": encoder.id,
        "clients": list(narrowing.clients) or None,
        "categories": list(narrowing.categories) or None,
    }
    return read_records(connection, sql.SQL(_SHOWN), dtype, terms)


def components_shown(
    connection: psycopg.Connection, numbers: Sequence[int]
) -> dict[int, list[Shown]]:
    """Return the searchable components that show the screenshots `numbers`, by these."""
    found: dict[int, list[Shown]] = {}
    for number, *rest in connection.execute(_COMPONENTS, (list(numbers),)):
        found.setdefault(number, []).append(Shown(*rest))
    return found


def pairs_among(
    connection: psycopg.Connection, numbers: Sequence[int]
) -> dict[tuple[int, int], float]:
    """Return the similarities that are kept of pairs of the screenshots `numbers`."""
    rows = connection.execute(_AMONG, {"numbers": list(numbers)})
    return {(a, b): similarity for a, b, similarity in rows}
