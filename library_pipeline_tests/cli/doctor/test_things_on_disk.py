"""What the doctor says of models, the bundle store, room, and the configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import library_pipeline.encoders
from library_pipeline.bundles.store import BundleStore
from library_pipeline.cli.doctor.examination import Check
from library_pipeline.cli.doctor.models import check_encoders
from library_pipeline.cli.doctor.system import (
    check_bundles,
    check_configuration,
    check_disk,
    check_schedules,
    judge_room,
)
from library_pipeline.settings import SettingsError, load_settings

DEMO = Path(library_pipeline.encoders.__file__).parent / "demo"


def models(*, deep: bool = False) -> list[Check]:
    return list(check_encoders(load_settings(), deep=deep))


def test_the_demo_encoder_is_always_there() -> None:
    (check,) = models()
    assert check.state == "ok"
    assert "512 dimensions, fingerprint " in check.found


def test_a_deep_look_embeds_a_picture() -> None:
    _, check = models(deep=True)
    assert check.state == "ok"
    assert "norm 1.0000" in check.found


def test_a_folder_with_safetensors_is_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DEMO, tmp_path / "model")
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", str(tmp_path / "model"))
    (check,) = models()
    assert check.state == "ok"
    assert f"of safetensors in {tmp_path / 'model'}" in check.found


def test_a_folder_with_pickled_weights_only_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(DEMO, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", str(tmp_path / "model"))
    (check,) = models()
    assert check.state == "wrong"
    assert "no model.safetensors" in check.found
    assert "pickled weights are not read" in check.found


def test_a_model_that_is_not_here_is_not_fetched_for_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name cannot exist, so an attempt to download it would end in an error instead."""
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", "nobody-at-all/no-such-model")
    (check,) = models()
    assert check.state == "warning"
    assert "the first refresh downloads it" in check.found
    assert "`hf download nobody-at-all/no-such-model`" in (check.way_out or "")


def test_a_model_that_is_not_here_is_wrong_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", "nobody-at-all/no-such-model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (check,) = models()
    assert check.state == "wrong"
    assert "HF_HUB_OFFLINE is set" in check.found


@pytest.mark.parametrize("name", ["no such folder", "../x", "a/b/c", "a--b/c..d"])
def test_what_is_neither_folder_nor_hub_name_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", name)
    (check,) = models()
    assert check.state == "wrong"
    assert f"model {name!r}: no such folder, and not a hub name" in check.found


def test_int8_needs_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_ENCODER_PRECISION", "int8")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _, check = models()
    assert check.state == "wrong"
    assert "needs onnx and onnxruntime, not installed" in check.found


def test_the_bundle_store_is_tried_out_and_left_as_it_was() -> None:
    settings = load_settings()
    store = BundleStore(settings.bundle_root)
    kept = store.put(b"a bundle")
    (check,) = check_bundles(settings)
    assert check.state == "ok"
    assert settings.bundle_root in check.found
    assert list(store.digests()) == [kept]


def test_a_bundle_store_that_cannot_be_written_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIBRARY_BUNDLE_STORE", str(tmp_path / "file" / "bundles"))
    (check,) = check_bundles(load_settings())
    assert (check.state, check.found) == ("wrong", f"{tmp_path}/file/bundles: Not a directory")


@pytest.mark.parametrize("url", ["nosuch://me:hunter2@host/x", "nosuch://host/x?secret=hunter2"])
def test_a_bundle_store_of_an_unknown_kind_is_wrong_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("LIBRARY_BUNDLE_STORE", url)
    (check,) = check_bundles(load_settings())
    assert check.state == "wrong"
    assert check.found.startswith("nosuch://host/x: ")
    assert "hunter2" not in str(check)


def test_a_bundle_store_elsewhere_is_tried_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_BUNDLE_STORE", "memory://bundles")
    (check,) = check_bundles(load_settings())
    assert check.state == "ok"
    assert "free" not in check.found


@pytest.mark.parametrize(
    ("free", "state"), [(299_000_000, "wrong"), (1_900_000_000, "warning"), (3_000_000_000, "ok")]
)
def test_room_is_judged_by_what_is_left(free: int, state: str) -> None:
    assert judge_room(Path("/x"), free, 10**12).state == state


def test_room_is_looked_for_where_home_will_be() -> None:
    (check,) = check_disk(load_settings())
    assert not load_settings().home.exists()
    assert str(load_settings().home) in check.found


def test_a_home_below_a_file_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIBRARY_HOME", str(tmp_path / "file" / "home"))
    (check,) = check_disk(load_settings())
    assert check.state == "wrong"
    assert f"{tmp_path}/file is not a folder" in check.found


def test_the_configuration_is_named_with_what_sets_it(tmp_path: Path) -> None:
    (check,) = check_configuration(load_settings(), None)
    assert f"no library.yaml in {tmp_path}, defaults hold" in check.found
    assert "set by variables: LIBRARY_ENCODER_MODEL, LIBRARY_HOME" in check.found


def test_each_problem_of_the_configuration_is_a_check() -> None:
    error = SettingsError("It is not valid:\n  a = 1: it must be 2\n  b: there is no such key")
    found = list(check_configuration(None, error))
    assert [check.found for check in found] == ["a = 1: it must be 2", "b: there is no such key"]
    assert found[-1].way_out


def test_a_schedule_that_only_dagster_knows_to_be_wrong_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no 31st of February, and no regular expression needs to know."""
    monkeypatch.setenv("LIBRARY_REFRESH_FULL_SCHEDULE", "0 0 31 2 *")
    (check,) = check_schedules(load_settings())
    assert check.state == "wrong"
    assert "refresh.full_schedule = '0 0 31 2 *'" in check.found
