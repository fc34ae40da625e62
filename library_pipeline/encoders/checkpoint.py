"""From a model's name to a local folder with its files: bundled, on disk or from the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from library_pipeline.encoders.errors import EncoderError
from library_pipeline.encoders.families import FAMILIES, Family

DEMO: Final = "demo"
DEFAULT_MODEL: Final = "openai/clip-vit-base-patch32"
# The main branch of this model has no safetensors file; this immutable commit added it.
PINNED_REVISIONS: Final = {DEFAULT_MODEL: "c237dc49a33fc61debc9276459120b7eac67e7ef"}

MOST_DIMENSIONS: Final = 4000  # what an HNSW index over halfvec can hold

_DEMO_FOLDER: Final = Path(__file__).parent / "demo"
_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_CONFIGS: Final = ("config.json", "preprocessor_config.json")
# Pickled weights (*.bin, *.pt) are never fetched: reading one can run any code.
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
class Checkpoint:
    """A model's files in one local folder, its configs read and its parts known to be there."""

    model: str
    folder: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    weights: tuple[Path, ...]

    @property
    def family(self) -> Family:
        """What the model is; raises EncoderError `encoder.unsupported_family`."""
        kind = self.config.get("model_type")
        if not isinstance(kind, str) or kind not in FAMILIES:
            raise EncoderError(
                "encoder.unsupported_family",
                f"model {self.model!r} is of type {kind!r}; supported: {', '.join(FAMILIES)}",
            )
        return FAMILIES[kind]

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        value = self.family.dim(self.config)
        if not isinstance(value, int) or not 1 <= value <= MOST_DIMENSIONS:
            key = ".".join(self.family.dim_at)
            problem = f"`{key}` in config.json is {value!r}, not 1 to {MOST_DIMENSIONS}"
            raise bad_checkpoint(self.model, problem)
        return value


def find_checkpoint(
    model: str, *, revision: str | None = None, cache_dir: Path | None = None
) -> Checkpoint:
    """Return `model`'s checkpoint, downloading it when it is a hub name not yet in the cache.

    Args:
        model: `demo`, a folder, or a hub name such as `openai/clip-vit-base-patch32`.
        revision: a hub branch, tag or commit; the default is the pinned one, else `main`.
        cache_dir: where downloads are kept; the default is the hub's own cache.

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
    from library_pipeline.encoders.hub import download  # noqa: PLC0415 - loads an HTTP client

    pinned = revision or PINNED_REVISIONS.get(model)
    return read_checkpoint(model, download(model, pinned, cache_dir, _FILES))


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


def bad_name(model: str) -> EncoderError:
    """Return the error for what names neither a folder nor a model of the hub."""
    problem = "no such folder, and not a hub name such as `openai/clip-vit-base-patch32`"
    return EncoderError("encoder.bad_name", f"model {model!r}: {problem}")


def bad_checkpoint(model: str, problem: str) -> EncoderError:
    """Return the error for files that are there but cannot be used."""
    return EncoderError("encoder.bad_checkpoint", f"model {model!r}: {problem}; {_WAY_OUT}")


def unavailable(code: str, model: str, problem: str, *, transient: bool = False) -> EncoderError:
    """Return the error for a model that cannot be had, with the two ways out."""
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
