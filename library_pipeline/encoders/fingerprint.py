"""Fingerprints: 16 hex digits that are equal only if the vectors are comparable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from library_pipeline.encoders.checkpoint import Checkpoint, bad_checkpoint

# Increase this when code changes a vector: decoding, alpha, resize, pooling, normalization.
CODE_VERSION: Final = 1
# Increase this when `Framer` gives other views.
FRAMING_VERSION: Final = 1

_CACHE_FILE: Final = "library-pipeline-digests.json"
# Keys about the making of a config; they do not change the vectors.
_IRRELEVANT: Final = frozenset(
    {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
)
_FileKey = tuple[str, int, int]
_digests: dict[_FileKey, str] = {}


def fingerprint(
    checkpoint: Checkpoint,
    *,
    framing: str = "crop",
    precision: str = "float32",
    cache_dir: Path | None = None,
) -> str:
    """Return the fingerprint of `checkpoint`; needs neither torch nor transformers.

    `framing` and `precision` hold the values that `auto` stands for, never `auto`: equal numbers
    have equal fingerprints, with `auto` or without.

    The digests of files are cached by path, size and modification time, in memory and in
    `cache_dir` if it is given: 600 MB of weights are read once, not at every start.
    """
    identity = {
        "code": CODE_VERSION,
        "pooling": checkpoint.family.pooling,
        "precision": precision,
        "dim": checkpoint.dim,
        "weights": [_digest(path, cache_dir) for path in checkpoint.weights],
        "config": _relevant(checkpoint.config),
        "preprocessing": _relevant(checkpoint.preprocessor),
        "tokenizer": [_digest(path, cache_dir) for path in _tokenizer_files(checkpoint)],
    }
    if framing != "crop":
        identity["framing"] = f"{framing} {FRAMING_VERSION}"
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _relevant(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key not in _IRRELEVANT
    }


def _tokenizer_files(checkpoint: Checkpoint) -> list[Path]:
    """Return the files that turn a text into tokens: they change the vectors of texts."""
    if not checkpoint.family.reads_text:
        return []
    for name in ("tokenizer.json", "spiece.model", "tokenizer.model"):
        if (checkpoint.folder / name).is_file():
            return [checkpoint.folder / name]
    parts = [checkpoint.folder / name for name in ("vocab.json", "merges.txt")]
    if not all(path.is_file() for path in parts):
        raise bad_checkpoint(checkpoint.model, f"no tokenizer.json in {checkpoint.folder}")
    return parts


def _digest(path: Path, cache_dir: Path | None) -> str:
    real = path.resolve()
    stat = real.stat()
    key = (str(real), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        known = _read_cache(cache_dir).get(_on_disk(key))
        _digests[key] = known or _sha256(real)
        if known is None and cache_dir is not None:
            _write_cache(cache_dir, {_on_disk(key): _digests[key]})
    return _digests[key]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _on_disk(key: _FileKey) -> str:
    return "|".join(map(str, key))


def _read_cache(cache_dir: Path | None) -> dict[str, str]:
    if cache_dir is None:
        return {}
    with suppress(OSError, ValueError):
        cached = json.loads((cache_dir / _CACHE_FILE).read_text(encoding="utf-8"))
        if isinstance(cached, dict):
            return cached
    return {}


def _write_cache(cache_dir: Path, added: Mapping[str, str]) -> None:
    """Add digests by one rename; without a cache, the next start is only slower."""
    with suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        partial = cache_dir / f"{_CACHE_FILE}.{os.getpid()}"
        merged = {**_read_cache(cache_dir), **added}
        partial.write_text(json.dumps(merged, indent=1), encoding="utf-8")
        partial.replace(cache_dir / _CACHE_FILE)
