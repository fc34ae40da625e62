"""Checkpoints: the files of a model in a local folder, shipped, on disk or from the hub.

The hub's client, which loads an HTTP client, is imported only for a hub name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from library_pipeline.encoders.encoder import EncoderError

DEMO: Final = "demo"
DEFAULT_MODEL: Final = "openai/clip-vit-base-patch32"
# The main branch of this model has no safetensors file; this immutable commit added it.
PINNED_REVISIONS: Final = {DEFAULT_MODEL: "c237dc49a33fc61debc9276459120b7eac67e7ef"}

MAX_DIMENSIONS: Final = 4000  # of an HNSW index over halfvec

_DEMO_FOLDER: Final = Path(__file__).parent / "demo"
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_CONFIGS: Final = ("config.json", "preprocessor_config.json")
# Pickled weights (*.bin, *.pt) are never fetched: unpickling can run any code.
_FILES: Final = (
    *_CONFIGS,
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
)
_WAY_OUT: Final = "or set `model: demo` for the encoder that comes with the program"


@dataclass(frozen=True, slots=True)
class Family:
    """The properties that all checkpoints of one `model_type` share.

    `dim_at` is the path of the vectors' length in config.json; `dim_default` is transformers'
    default for it, None if every config of the family has it. `processors` are the image
    processors that the family was trained with, without the suffixes `Fast` and `Pil`.
    """

    pooling: str
    dim_at: tuple[str, ...]
    dim_default: int | None
    processors: frozenset[str]
    reads_text: bool = True
    crops_unless_told: bool | None = None  # a missing `do_center_crop`; None: it is an error
    any_size: bool = False  # positions are interpolated: the pictures need not be config.image_size
    naflex: bool = False  # patches at the picture's own aspect ratio

    def dim(self, config: Mapping[str, Any]) -> object:
        """Return the length of the vectors by `config`, unchecked."""
        value: Any = config
        for key in self.dim_at:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return self.dim_default if value == {} else value


_SIGLIP_TOWER: Final = ("vision_config", "hidden_size")
_DINOV2: Final = Family(
    # transformers' `pooler_output`: the class token after the last layer norm (arXiv:2304.07193).
    pooling="class token, L2",
    dim_at=("hidden_size",),
    dim_default=768,
    processors=frozenset({"BitImageProcessor"}),
    reads_text=False,
    any_size=True,
)
FAMILIES: Final[Mapping[str, Family]] = {
    "clip": Family(
        pooling="projected class token, L2",  # arXiv:2103.00020
        dim_at=("projection_dim",),
        dim_default=None,
        processors=frozenset({"CLIPImageProcessor", "CLIPFeatureExtractor"}),
    ),
    "dinov2": _DINOV2,
    "dinov2_with_registers": _DINOV2,  # arXiv:2309.16588
    "siglip": Family(  # fixed-size SigLIP 2 checkpoints have this type too
        pooling="attention pooling, L2",  # arXiv:2303.15343
        dim_at=_SIGLIP_TOWER,
        dim_default=768,
        processors=frozenset({"SiglipImageProcessor"}),
        crops_unless_told=False,
    ),
    "siglip2": Family(  # NaFlex
        pooling="attention pooling, L2",  # arXiv:2502.14786
        dim_at=_SIGLIP_TOWER,
        dim_default=768,
        processors=frozenset({"Siglip2ImageProcessor"}),
        crops_unless_told=False,
        naflex=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's files in one local folder, with its configs read and its weights listed."""

    model: str
    folder: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    weights: tuple[Path, ...]

    @property
    def family(self) -> Family:
        """The family of the model; raises EncoderError `encoder.unsupported_family`."""
        kind = self.config.get("model_type")
        if not isinstance(kind, str) or kind not in FAMILIES:
            raise EncoderError(
                "encoder.unsupported_family",
                f"model {self.model!r} is of type {kind!r}; supported: {', '.join(FAMILIES)}",
            )
        return FAMILIES[kind]

    @property
    def dim(self) -> int:
        """The length of the vectors; raises EncoderError `encoder.bad_checkpoint`."""
        value = self.family.dim(self.config)
        if not isinstance(value, int) or not 1 <= value <= MAX_DIMENSIONS:
            key = ".".join(self.family.dim_at)
            problem = f"`{key}` in config.json is {value!r}, not 1 to {MAX_DIMENSIONS}"
            raise bad_checkpoint(self.model, problem)
        return value


def find_checkpoint(
    model: str, *, revision: str | None = None, cache_dir: Path | None = None
) -> Checkpoint:
    """Return the checkpoint of `model`; downloads a hub model that is not in the cache yet.

    Args:
        model: `demo`, a folder, or a hub name such as `openai/clip-vit-base-patch32`.
        revision: a hub branch, tag or commit; the default is the pinned commit, else `main`.
        cache_dir: the folder for downloads; the default is the hub's own cache.

    Raises:
        EncoderError: `encoder.bad_name`, `encoder.not_found`, `encoder.gated`,
            `encoder.offline`, `encoder.bad_checkpoint`.

    """
    if model == DEMO:
        return read_checkpoint(model, _DEMO_FOLDER)
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        return read_checkpoint(model, folder.resolve())
    if not _HUB_NAME.fullmatch(model):
        raise bad_name(model)
    folder = _fetch_snapshot(model, revision or PINNED_REVISIONS.get(model), cache_dir)
    return read_checkpoint(model, folder)


def read_checkpoint(model: str, folder: Path) -> Checkpoint:
    """Read the configs in `folder` and list its weights; loads no tensor."""
    config, preprocessor = (_read_json(model, folder / name) for name in _CONFIGS)
    weights = tuple(sorted(folder.glob("model*.safetensors")))
    if not weights:
        raise bad_checkpoint(
            model,
            f"no model.safetensors in {folder}; pickled weights are not read. Set `revision` to a "
            "commit that has safetensors (often the open conversion, `refs/pr/<number>`)",
        )
    return Checkpoint(model, folder, config, preprocessor, weights)


def processor_name(preprocessor: Mapping[str, Any]) -> str | None:
    """Return the image processor that a `preprocessor_config.json` names, if any."""
    name = preprocessor.get("image_processor_type") or preprocessor.get("feature_extractor_type")
    return name.removesuffix("Fast").removesuffix("Pil") if isinstance(name, str) else None


def bad_name(model: str) -> EncoderError:
    """Return the error for a name of neither a folder nor a hub model."""
    problem = "no such folder, and not a hub name such as `openai/clip-vit-base-patch32`"
    return EncoderError("encoder.bad_name", f"model {model!r}: {problem}")


def bad_checkpoint(model: str, problem: str) -> EncoderError:
    """Return the error for files that exist but cannot be used."""
    return EncoderError("encoder.bad_checkpoint", f"model {model!r}: {problem}; {_WAY_OUT}")


def _unavailable(code: str, model: str, problem: str, *, transient: bool = False) -> EncoderError:
    """Return the error for a model that cannot be fetched, with the two ways out."""
    download = f"`hf download {model}`"
    revision = PINNED_REVISIONS.get(model)
    if revision is not None:
        download = f"`hf download {model} --revision {revision}`"
    message = f"model {model!r}: {problem}; fetch it where there is a network with {download} "
    return EncoderError(code, message + f"(same HF_HOME), {_WAY_OUT}", transient=transient)


def _read_json(model: str, path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise bad_checkpoint(model, f"there is no {path.name} in {path.parent}") from error
    except (OSError, ValueError) as error:
        raise bad_checkpoint(model, f"{path} is not readable JSON ({error})") from error
    if not isinstance(value, dict):
        raise bad_checkpoint(model, f"{path} holds no JSON object")
    return value


def _fetch_snapshot(model: str, revision: str | None, cache_dir: Path | None) -> Path:
    """Return the snapshot folder of `model` at `revision`; fetches it if it is not complete.

    A complete snapshot in the cache is used without a request to the hub: when a branch moves, the
    vectors of a running index must not change.

    Raises:
        EncoderError: `encoder.not_found`, `encoder.gated` or `encoder.offline`.

    """
    from huggingface_hub import constants, snapshot_download  # noqa: PLC0415 - an HTTP client

    cached = _cached_snapshot(model, revision, cache_dir)
    if cached is not None and (_is_complete(cached) or constants.is_offline_mode()):
        return cached
    if constants.is_offline_mode():
        raise _unavailable("encoder.offline", model, "not in the cache, and HF_HUB_OFFLINE is set")
    try:
        folder = snapshot_download(
            model, revision=revision, cache_dir=cache_dir, allow_patterns=list(_FILES)
        )
    except Exception as error:
        raise _hub_error(error, model, revision) from error
    return Path(folder)


def _cached_snapshot(model: str, revision: str | None, cache_dir: Path | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        path = try_to_load_from_cache(model, "config.json", cache_dir=cache_dir, revision=revision)
    except HFValidationError as error:  # such as `a--b/c..d`: only the hub knows its rules
        raise bad_name(model) from error
    return Path(path).parent if isinstance(path, str) else None


def _is_complete(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    tokens = "tokenizer.json" in names or {"vocab.json", "merges.txt"} <= names
    return tokens and "preprocessor_config.json" in names and _has_weights(names)


def _has_weights(names: set[str]) -> bool:
    if "model.safetensors" in names:
        return True
    shards = [name for name in names if name.startswith("model-") and ".safetensors" in name]
    # The name model-00001-of-00003.safetensors gives the number of shards.
    return bool(shards) and all(
        len(shards) == int(name.rsplit("-of-", 1)[-1].split(".")[0]) for name in shards
    )


def _hub_error(error: Exception, model: str, revision: str | None) -> EncoderError:
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        problem = "its owner asks for an account: accept the terms, then `hf auth login`"
        return _unavailable("encoder.gated", model, problem)
    if isinstance(error, RevisionNotFoundError):
        return _unavailable("encoder.not_found", model, f"the hub has no revision {revision!r}")
    if isinstance(error, RepositoryNotFoundError):
        problem = "the hub has no such model, or it is private"
        return _unavailable("encoder.not_found", model, problem)
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    problem = f"the hub cannot be reached ({reason[0]})"
    return _unavailable("encoder.offline", model, problem, transient=True)
