"""Fingerprints change with whatever changes a vector, with nothing else, and come quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from library_pipeline.encoders import encoder_identity, fingerprint, load_encoder
from library_pipeline.encoders.checkpoint import read_checkpoint
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, edit_json, write_checkpoint


def of(folder: Path) -> str:
    return encoder_identity(str(folder))[0]


def test_it_is_the_loaded_encoders_fingerprint(checkpoint_folder: Path) -> None:
    encoder = load_encoder(str(checkpoint_folder), device="cpu")
    expected = (encoder.fingerprint, encoder.dim, "tiles")
    assert encoder_identity(str(checkpoint_folder)) == expected
    assert len(encoder.fingerprint) == 16
    int(encoder.fingerprint, 16)


def test_a_copy_elsewhere_has_the_same(checkpoint_folder: Path, own_checkpoint: Path) -> None:
    assert of(own_checkpoint) == of(checkpoint_folder)


def test_what_only_tells_of_the_making_changes_nothing(own_checkpoint: Path) -> None:
    before = of(own_checkpoint)
    edit_json(own_checkpoint / "config.json", transformers_version="9.9", _name_or_path="/tmp/x")
    edit_json(own_checkpoint / "tokenizer_config.json", backend="other")
    (own_checkpoint / "README.md").write_text("a model card")
    assert of(own_checkpoint) == before


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("preprocessor_config.json", {"resample": 2}),
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]}),
        (
            "preprocessor_config.json",
            {"do_center_crop": False, "size": {"height": 64, "width": 64}},
        ),
        ("config.json", {"projection_dim": 16}),
        ("tokenizer.json", {"version": "2.0"}),
    ],
)
def test_what_changes_a_vector_changes_it(
    own_checkpoint: Path, file: str, changes: dict[str, object]
) -> None:
    before = of(own_checkpoint)
    edit_json(own_checkpoint / file, **changes)
    assert of(own_checkpoint) != before


def test_a_nested_setting_counts(own_checkpoint: Path) -> None:
    before, path = of(own_checkpoint), own_checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["hidden_act"] = "gelu"
    path.write_text(json.dumps(config))
    assert of(own_checkpoint) != before


def test_other_weights_have_another(tmp_path: Path) -> None:
    folders = [write_checkpoint(tmp_path / str(i), CENTRE_CROP, seed=i) for i in range(2)]
    assert of(folders[0]) != of(folders[1])


def test_new_code_has_another(checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(checkpoint_folder)
    monkeypatch.setattr(fingerprint_module(), "CODE_VERSION", 2)
    assert of(checkpoint_folder) != before


def fingerprint_module() -> object:
    return sys.modules["library_pipeline.encoders.fingerprint"]


def test_weights_are_read_once_and_again_when_they_change(
    own_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    module = fingerprint_module()
    digest = module._sha256  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "_sha256", lambda path: (read.append(path.name), digest(path))[1])
    checkpoint = read_checkpoint("own", own_checkpoint)
    cache = tmp_path / "cache"
    first = fingerprint.fingerprint(checkpoint, cache_dir=cache)
    assert sorted(read) == ["model.safetensors", "tokenizer.json"]
    fingerprint.fingerprint(checkpoint, cache_dir=cache)
    module._digests.clear()  # type: ignore[attr-defined]  # as a new process finds it
    assert fingerprint.fingerprint(checkpoint, cache_dir=cache) == first
    assert len(read) == 2
    weights = own_checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    os.utime(weights, ns=(1, 1))
    assert fingerprint.fingerprint(checkpoint, cache_dir=cache) != first
    assert read[2:] == ["model.safetensors"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_cache_is_only_slower(
    checkpoint_folder: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "library-pipeline-digests.json").write_text(content)
    fingerprint_module()._digests.clear()  # type: ignore[attr-defined]
    identity = encoder_identity(str(checkpoint_folder), cache_dir=tmp_path)
    assert identity == encoder_identity(str(checkpoint_folder))


def test_identity_needs_neither_torch_nor_transformers(checkpoint_folder: Path) -> None:
    """A Dagster code location asks for the fingerprint at every start; torch costs seconds."""
    program = (
        "import sys; from library_pipeline.encoders import encoder_identity, load_encoder\n"
        "assert 'numpy' not in sys.modules\n"
        f"encoder_identity({str(checkpoint_folder)!r})\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
