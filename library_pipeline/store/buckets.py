"""Hash buckets of components, for libraries too large for a Dagster partition each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg
from psycopg import sql

# The hash of catalog.partition_keys.bucket_key in SQL; a test compares the two.
BUCKET = sql.SQL("(('x' || substr(md5(component_id), 1, 8))::bit(32)::bigint %% %(buckets)s)")
_KEY = re.compile(r"bucket-([0-9]{5})-of-([1-9][0-9]{0,5})")
_IN_BUCKETS = """
select component_id from pipeline.manifest_entry where {bucket} = any(%(numbers)s)
order by component_id
"""
_VERSIONS = """
select {bucket} as bucket, count(*),
       md5(string_agg(component_id || ' ' || revision, e'\\n' order by component_id))
from pipeline.component where removed_at is null and {bucket} = any(%(numbers)s)
group by bucket
"""
# A fault of the manifest entry does not fail the bucket.
_FAILING = """
select distinct {bucket} from pipeline.failure
where phase <> 'manifest' and {bucket} = any(%(numbers)s)
"""


def components_in_buckets(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> list[str]:
    """Return the ids that the manifest lists in the buckets `keys`. Raises ValueError."""
    terms = {"buckets": buckets, "numbers": [_number(key, buckets) for key in keys]}
    statement = sql.SQL(_IN_BUCKETS).format(bucket=BUCKET)
    return [row[0] for row in connection.execute(statement, terms)]


def bucket_versions(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> dict[str, tuple[int, str]]:
    """Return each bucket's number of components and the hash of their indexed revisions, by key."""
    numbers = {_number(key, buckets): key for key in keys}
    terms = {"buckets": buckets, "numbers": list(numbers)}
    statement = sql.SQL(_VERSIONS).format(bucket=BUCKET)
    return {
        numbers[number]: (count, version)
        for number, count, version in connection.execute(statement, terms)
    }


def failing_buckets(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> frozenset[str]:
    """Return those of the buckets `keys` that hold a failed component."""
    numbers = {_number(key, buckets): key for key in keys}
    statement = sql.SQL(_FAILING).format(bucket=BUCKET)
    rows = connection.execute(statement, {"buckets": buckets, "numbers": list(numbers)})
    return frozenset(numbers[number] for (number,) in rows)


def is_bucket(key: str, buckets: int) -> bool:
    """Return whether `key` names one of `buckets` buckets."""
    found = _KEY.fullmatch(key)
    return bool(found) and int(found[2]) == buckets and int(found[1]) < buckets


def _number(key: str, buckets: int) -> int:
    """Return the number in a bucket's key. Raises ValueError for a key of another setting."""
    if not is_bucket(key, buckets):
        raise ValueError(
            f"partition {key} is none of {buckets} buckets (refresh.partition_buckets); it is left "
            "over from another setting and can be wiped"
        )
    return int(key.split("-")[1])
