"""Small CLIP checkpoints with random weights, written as a hub checkpoint is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from library_pipeline_tests.support.checkpoints import (
    CENTRE_CROP,
    write_checkpoint,
)

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint that tests only read."""
    return write_checkpoint(tmp_path_factory.mktemp("clip"), CENTRE_CROP)


@pytest.fixture
def own_checkpoint(tmp_path: Path, checkpoint_folder: Path) -> Path:
    """Return a copy that a test may damage."""
    folder = tmp_path / "own"
    folder.mkdir()
    for path in checkpoint_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
