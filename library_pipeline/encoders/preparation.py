"""Which preparation a checkpoint asks for, checked against the network it came with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from library_pipeline.encoders.checkpoint import Checkpoint, bad_checkpoint
from library_pipeline.encoders.errors import EncoderError
from library_pipeline.encoders.families import processor_name
from library_pipeline.encoders.framing import Preparation
from library_pipeline.encoders.naflex import NaflexPreprocessing, parse_naflex
from library_pipeline.encoders.preprocessing import Preprocessing, parse_preprocessing


def read_preparation(checkpoint: Checkpoint) -> Preparation:
    """Return the preparation that `checkpoint` was published with.

    Raises:
        EncoderError: `encoder.bad_preprocessing` where the file is odd or another family's,
            `encoder.bad_checkpoint` where the network does not take such pixels.

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


def _network(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that tells of the image tower."""
    vision = config.get("vision_config", config)
    return vision if isinstance(vision, Mapping) else {}


def _check_size(policy: Preprocessing, network: Mapping[str, Any], model: str) -> None:
    size = network.get("image_size", 224)  # transformers' default where a config leaves it out
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
