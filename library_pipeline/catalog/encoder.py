"""What an encoder is asked to be: the model, and how a picture is put before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# auto: `tiles` for a model whose own preparation would cut pictures, else `crop`.
# crop: as the model was published with. pad: the whole picture on its own border colour.
# tiles: the whole picture squashed and, of one much longer than wide, its parts; pooled.
Framing = Literal["auto", "crop", "pad", "tiles"]
# auto: float32 in its results; a GPU computes in float16 where that changes nothing (docs).
Precision = Literal["auto", "float32", "bfloat16", "int8"]

# What computes it; onnx is ONNX Runtime, on a CPU. Both give the same vectors.
Runtime = Literal["torch", "onnx"]


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Which vectors are wanted: everything a person chooses that may change a number.

    `name` is what the index calls the encoder, `model` a hub name, a folder or `demo`, `revision`
    a hub branch, tag or commit. What the spec stands for at the moment says its fingerprint.
    """

    name: str
    model: str
    revision: str | None = None
    framing: Framing = "auto"
    precision: Precision = "auto"
