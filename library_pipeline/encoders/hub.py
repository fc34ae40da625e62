"""Model files from the Hugging Face hub: the local cache first, the network only when needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from library_pipeline.encoders.checkpoint import bad_name, unavailable
from library_pipeline.encoders.errors import EncoderError


def download(
    model: str, revision: str | None, cache_dir: Path | None, patterns: Sequence[str]
) -> Path:
    """Return the snapshot folder of `model` at `revision`, fetched when it is not complete.

    A cached snapshot is used as it is, without asking the hub: a branch that moved on must not
    change the vectors of a running index behind its back.

    Raises:
        EncoderError: `encoder.not_found`, `encoder.gated` or `encoder.offline`.

    """
    cached = _cached(model, revision, cache_dir)
    if cached is not None and (_complete(cached) or constants.is_offline_mode()):
        return cached
    if constants.is_offline_mode():
        raise unavailable("encoder.offline", model, "not in the cache, and HF_HUB_OFFLINE is set")
    try:
        folder = snapshot_download(
            model, revision=revision, cache_dir=cache_dir, allow_patterns=list(patterns)
        )
    except Exception as error:
        raise _explained(error, model, revision) from error
    return Path(folder)


def _cached(model: str, revision: str | None, cache_dir: Path | None) -> Path | None:
    try:
        path = try_to_load_from_cache(model, "config.json", cache_dir=cache_dir, revision=revision)
    except HFValidationError as error:  # such as `a--b/c..d`: the hub's rule, not ours to repeat
        raise bad_name(model) from error
    return Path(path).parent if isinstance(path, str) else None


def _complete(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    tokens = "tokenizer.json" in names or {"vocab.json", "merges.txt"} <= names
    return tokens and "preprocessor_config.json" in names and _has_weights(names)


def _has_weights(names: set[str]) -> bool:
    if "model.safetensors" in names:
        return True
    shards = [name for name in names if name.startswith("model-") and ".safetensors" in name]
    # model-00001-of-00003.safetensors says itself how many there must be.
    return bool(shards) and all(
        len(shards) == int(name.rsplit("-of-", 1)[-1].split(".")[0]) for name in shards
    )


def _explained(error: Exception, model: str, revision: str | None) -> EncoderError:
    if isinstance(error, GatedRepoError):
        problem = "its owner asks for an account: accept the terms, then `hf auth login`"
        return unavailable("encoder.gated", model, problem)
    if isinstance(error, RevisionNotFoundError):
        return unavailable("encoder.not_found", model, f"the hub has no revision {revision!r}")
    if isinstance(error, RepositoryNotFoundError):
        problem = "the hub has no such model, or it is private"
        return unavailable("encoder.not_found", model, problem)
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    problem = f"the hub cannot be reached ({reason[0]})"
    return unavailable("encoder.offline", model, problem, transient=True)
