"""The bundle store, tried out with a file of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.cli.doctor.check import Check, gigabytes, one_line
from library_pipeline.settings import Settings

_NAME = "bundle store"


def check_bundles(settings: Settings) -> Iterator[Check]:
    """Yield whether a file can be put into the store, read back and deleted."""
    where = _shown(settings.bundle_root)
    try:
        store = BundleStore(settings.bundle_root)
        kept = store.put(secrets.token_bytes(64))  # random, so it is no other file's content
        try:
            store.get(kept.sha256)
        finally:
            store.delete(kept.sha256)
    except BundleError as error:
        yield Check(_NAME, "wrong", error.message, "see who may write there, and its room")
    except (ImportError, ValueError) as error:
        way_out = "install what fsspec needs for this kind of URL (s3fs, gcsfs, adlfs, ...)"
        yield Check(_NAME, "wrong", f"{where}: {one_line(error)}", way_out)
    except OSError as error:
        way_out = "set bundle_store (or home) to a folder or URL that can be written"
        yield Check(_NAME, "wrong", f"{where}: {error.strerror or one_line(error)}", way_out)
    else:
        room = _room(settings.bundle_root) if store.local else ""
        yield Check(_NAME, "ok", f"{where}: a file was written, read and deleted{room}")


def _room(root: str) -> str:
    folder = Path(urlsplit(root).path if root.startswith("file:") else root)
    return f"; {gigabytes(shutil.disk_usage(folder).free)} free"


def _shown(root: str) -> str:
    """Return where the store is, without credentials."""
    scheme, mark, rest = root.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if mark else root
