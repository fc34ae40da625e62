"""Component ids as Dagster partition keys, reversibly, whatever Unicode an id is made of."""

from __future__ import annotations

import hashlib
import unicodedata
from urllib.parse import unquote

BUNDLE, EMBEDDING, INDEX = "component_bundle", "component_embedding", "component_index"
"""The assets that have these partitions."""

# Dagster's UI, CLI and backfills split or parse keys at commas, quotes, brackets and "...";
# these ASCII characters are the ones that pass through all of them as they are.
_PLAIN_ASCII = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def partition_key(component_id: str) -> str:
    """Return the partition key of `component_id`; `component_id` undoes it.

    Letters, digits and visible non-ASCII characters stay readable; everything else becomes
    percent-encoded UTF-8. Raises ValueError for an empty id.
    """
    if not component_id:
        raise ValueError("a component id must not be empty")
    key = "".join(_escape(char) for char in component_id)
    # Dagster reads "..." as a range; one escaped dot is enough to break it up.
    while ".." in key:
        key = key.replace("..", ".%2E")
    return key


def component_id(key: str) -> str:
    """Return the component id that `partition_key` made `key` of."""
    return unquote(key, errors="strict")


def bucket_key(component_id: str, buckets: int) -> str:
    """Return the key of the hash bucket that `component_id` shares with others.

    The number of buckets is in it: keys of another number never mean other components.
    """
    digest = hashlib.md5(component_id.encode(), usedforsecurity=False).hexdigest()
    return f"bucket-{int(digest[:8], 16) % buckets:05d}-of-{buckets}"


def partition_of(component_id: str, buckets: int | None) -> str:
    """Return the partition in which a component is shown; with `buckets` it shares one."""
    return bucket_key(component_id, buckets) if buckets else partition_key(component_id)


def _escape(char: str) -> str:
    if char in _PLAIN_ASCII:
        return char
    if not char.isascii() and unicodedata.category(char)[0] not in "CZ":
        return char
    return "".join(f"%{byte:02X}" for byte in char.encode())
