"""Encoders as facts: what a person asks for, and what the registry knows of each one."""

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

# active: search asks it. candidate: a reembed fills it first. kept: only its vectors are left.
EncoderState = Literal["active", "candidate", "kept"]


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What a person chooses of an encoder: everything that may change a number of its vectors.

    `name` is the encoder's name in the index. `model` is a hub name, a folder or `demo`.
    `revision` is a hub branch, tag or commit. A fingerprint names the weights behind a spec.
    """

    name: str
    model: str
    revision: str | None = None
    framing: Framing = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """An encoder as the registry knows it; `id` names its table of vectors.

    Search asks the `active` encoders. A `configured` encoder that is not active is a candidate.
    """

    id: int
    spec: EncoderSpec
    fingerprint: str
    dim: int
    active: bool = True
    configured: bool = True

    @property
    def name(self) -> str:
        """Name in the index; of all fingerprints that share a name, one is active."""
        return self.spec.name

    @property
    def model(self) -> str:
        """Hub name, folder or `demo`."""
        return self.spec.model

    @property
    def candidate(self) -> bool:
        """Whether a reembed fills it before search asks it."""
        return self.configured and not self.active

    @property
    def state(self) -> EncoderState:
        """How the encoder is used."""
        return "active" if self.active else "candidate" if self.configured else "kept"
