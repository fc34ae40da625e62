"""`preprocessor_config.json`: read, and checked against the network that it came with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from library_pipeline.encoders.checkpoint import Checkpoint, bad_checkpoint, processor_name
from library_pipeline.encoders.encoder import EncoderError
from library_pipeline.encoders.preparation import NaflexPreprocessing, Preparation, Preprocessing

_FILE: Final = "preprocessor_config.json"


def read_preparation(checkpoint: Checkpoint) -> Preparation:
    """Return the preparation that `checkpoint` was published with.

    Raises:
        EncoderError: `encoder.bad_preprocessing` if the file is not valid or of another family,
            `encoder.bad_checkpoint` if the network does not take such pixels.

    """
    family = checkpoint.family
    name = processor_name(checkpoint.preprocessor)
    if name is not None and name not in family.processors:
        raise EncoderError(
            "encoder.bad_preprocessing",
            f"{checkpoint.model}: preprocessor_config.json is for {name}, but a model of type "
            f"{checkpoint.config['model_type']!r} takes {' or '.join(sorted(family.processors))}; "
            "use the file that the model was published with",
        )
    network = _network(checkpoint.config)
    if family.naflex:
        patches = parse_naflex(checkpoint.preprocessor, checkpoint.model)
        _check_patches(patches, network, checkpoint.model)
        return patches
    policy = parse_preprocessing(
        checkpoint.preprocessor,
        checkpoint.model,
        crops_unless_told=family.crops_unless_told,
    )
    if family.any_size:
        _check_multiple(policy, network, checkpoint.model)
    else:
        _check_size(policy, network, checkpoint.model)
    return policy


def parse_preprocessing(
    config: Mapping[str, Any], model: str, *, crops_unless_told: bool | None = None
) -> Preprocessing:
    """Read a `preprocessor_config.json`. It must give every value that changes the pixels.

    Only keys that a whole family leaves out have the default of its image processor:
    `do_rescale`, `rescale_factor` and, by `crops_unless_told`, `do_center_crop`.

    Raises:
        EncoderError: `encoder.bad_preprocessing`, naming the model, the key and its value.

    """
    reader = _Reader(config, model)
    crop = (
        reader.size("crop_size")
        if reader.flag("do_center_crop", default=crops_unless_told)
        else None
    )
    edge, exact = reader.resize() if reader.flag("do_resize") else (None, None)
    if crop is None and exact is None:
        raise reader.error("size", "without a centre crop `size` must give height and width")
    normalizes = reader.flag("do_normalize")
    return Preprocessing(
        shortest_edge=edge,
        exact=exact,
        crop=crop,
        resample=reader.resample(),
        scale=reader.scale() if reader.flag("do_rescale", default=True) else 1.0,
        mean=reader.triple("image_mean") if normalizes else (0.0, 0.0, 0.0),
        std=reader.triple("image_std") if normalizes else (1.0, 1.0, 1.0),
    )


def parse_naflex(config: Mapping[str, Any], model: str) -> NaflexPreprocessing:
    """Read the `preprocessor_config.json` of a NaFlex checkpoint.

    Raises:
        EncoderError: `encoder.bad_preprocessing`, naming the model, the key and its value.

    """
    reader = _Reader(config, model)
    if not reader.flag("do_resize", default=True):
        raise reader.error("do_resize", "NaFlex pictures are always resized")
    normalizes = reader.flag("do_normalize", default=True)
    return NaflexPreprocessing(
        patch=reader.length("patch_size"),
        max_patches=reader.length("max_num_patches"),
        resample=reader.resample(),
        scale=reader.scale() if reader.flag("do_rescale", default=True) else 1.0,
        mean=reader.triple("image_mean") if normalizes else (0.0, 0.0, 0.0),
        std=reader.triple("image_std") if normalizes else (1.0, 1.0, 1.0),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the keys of one config; raises an error for the first that is missing or not valid."""

    config: Mapping[str, Any]
    model: str

    def error(self, key: str, problem: str) -> EncoderError:
        """Return the error that names `key`, its value and what is needed."""
        value = self.config.get(key)
        said = "is missing" if value is None else f"is {value!r}"
        return EncoderError(
            "encoder.bad_preprocessing",
            f"{self.model}: `{key}` in {_FILE} {said}: {problem}; "
            "use the file that the model was published with",
        )

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return a truth value."""
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false is needed")
        return value

    def size(self, key: str) -> tuple[int, int]:
        """Return a size as (height, width); one number stands for a square."""
        value = self.config.get(key)
        if _is_length(value):
            return value, value
        if isinstance(value, Mapping) and set(value) == {"height", "width"}:
            height, width = value["height"], value["width"]
            if _is_length(height) and _is_length(width):
                return height, width
        raise self.error(key, "a number of pixels, or height and width, is needed")

    def length(self, key: str) -> int:
        """Return a positive whole number."""
        value = self.config.get(key)
        if not _is_length(value):
            raise self.error(key, "a number is needed")
        return value

    def resize(self) -> tuple[int | None, tuple[int, int] | None]:
        """Return (shortest edge, None) or (None, (height, width))."""
        value = self.config.get("size")
        edge = value.get("shortest_edge") if isinstance(value, Mapping) else value
        if _is_length(edge) and (not isinstance(value, Mapping) or len(value) == 1):
            return edge, None
        return None, self.size("size")

    def resample(self) -> int:
        """Return the number of one of Pillow's filters."""
        value = self.config.get("resample")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 5:
            raise self.error("resample", "one of Pillow's filters, 0 to 5, is needed")
        return value

    def scale(self) -> float:
        """Return the factor that brings 0 to 255 to 0 to 1."""
        value = self.config.get("rescale_factor", 1 / 255)
        if not isinstance(value, int | float) or not 0 < value <= 1:
            raise self.error("rescale_factor", "a factor between 0 and 1 is needed")
        return float(value)

    def triple(self, key: str) -> tuple[float, float, float]:
        """Return three numbers, for red, green and blue."""
        value = self.config.get(key)
        if not isinstance(value, list) or len(value) != 3:
            raise self.error(key, "three numbers are needed")
        if not all(isinstance(part, int | float) for part in value):
            raise self.error(key, "three numbers are needed")
        if key == "image_std" and not all(value):
            raise self.error(key, "a standard deviation cannot be 0")
        return float(value[0]), float(value[1]), float(value[2])


def _network(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that describes the image tower."""
    vision = config.get("vision_config", config)
    return vision if isinstance(vision, Mapping) else {}


def _check_size(policy: Preprocessing, network: Mapping[str, Any], model: str) -> None:
    size = network.get("image_size", 224)  # transformers' default
    if policy.output != (size, size):
        raise bad_checkpoint(
            model,
            f"it takes {size} x {size} pixels, its preprocessor_config.json gives "
            f"{policy.output[1]} x {policy.output[0]}",
        )


def _check_multiple(policy: Preprocessing, network: Mapping[str, Any], model: str) -> None:
    patch, (height, width) = network.get("patch_size", 14), policy.output
    if height != width or height % patch:
        raise bad_checkpoint(
            model,
            f"it takes squares of whole patches of {patch} pixels, its preprocessor_config.json "
            f"gives {width} x {height}",
        )


def _check_patches(policy: NaflexPreprocessing, network: Mapping[str, Any], model: str) -> None:
    patch = network.get("patch_size", 16)
    if policy.patch != patch:
        raise bad_checkpoint(
            model,
            f"its patches are {patch} pixels wide, its preprocessor_config.json gives "
            f"{policy.patch}",
        )


def _is_length(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 4096
