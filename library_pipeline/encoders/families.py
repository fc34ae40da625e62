"""The model families that there is code for, as far as that can be said without loading torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Family:
    """What all checkpoints of one `model_type` have in common.

    `dim_at` leads to the vectors' length in config.json; `dim_default` is what transformers takes
    where it is missing, None if the family's configs always have it. `processors` are the image
    processors, less what says how they compute (`Fast`, `Pil`), whose pixels it was trained on.
    """

    pooling: str
    dim_at: tuple[str, ...]
    dim_default: int | None
    processors: frozenset[str]
    reads_text: bool = True
    crops_unless_told: bool | None = None  # what a missing `do_center_crop` means; None: an error
    any_size: bool = False  # positions are interpolated: the pictures need not be config.image_size
    naflex: bool = False  # patches at the picture's own aspect ratio

    def dim(self, config: Mapping[str, Any]) -> object:
        """Return what `config` says is the length of the vectors; checked by the caller."""
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
    "siglip": Family(  # the fixed-size SigLIP 2 checkpoints too: they are of this type
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


def processor_name(preprocessor: Mapping[str, Any]) -> str | None:
    """Return the image processor that a `preprocessor_config.json` names, None if it names none."""
    name = preprocessor.get("image_processor_type") or preprocessor.get("feature_extractor_type")
    return name.removesuffix("Fast").removesuffix("Pil") if isinstance(name, str) else None
