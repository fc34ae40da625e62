"""Settings: what is wrong is named with its key and value; secrets are never shown."""

from pathlib import Path

import pytest

from library_pipeline.settings import SettingsError, load_settings


def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "library.yaml"
    path.write_text(text)
    monkeypatch.setenv("LIBRARY_CONFIG", str(path))


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBRARY_HOME")
    monkeypatch.delenv("LIBRARY_ENCODER_MODEL")
    settings = load_settings()
    assert settings.home == tmp_path / ".library"
    assert settings.encoder.model == "openai/clip-vit-base-patch32"
    assert settings.bundle_root == str(tmp_path / ".library" / "bundles")


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, "cms: {base_url: http://file, page_size: 7}")
    monkeypatch.setenv("LIBRARY_CMS_BASE_URL", "http://environment")
    assert load_settings().cms.base_url == "http://environment"
    assert load_settings().cms.page_size == 7


def test_a_relative_home_lies_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIBRARY_HOME")
    (tmp_path / "elsewhere").mkdir()
    configure(tmp_path / "elsewhere", monkeypatch, "home: data")
    assert load_settings().home == tmp_path / "elsewhere" / "data"


def test_every_wrong_key_is_named_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, "cms: {page_size: 100000, pagesize: 3}\nencoder: {device: 5}")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert "cms.page_size = 100000: Input should be less than or equal to 1000" in message
    assert "cms.pagesize = 3: there is no such key" in message
    assert "encoder.device = 5" in message


def test_a_wrong_secret_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, monkeypatch, "cms: {token: [hunter2]}\ndatabase_url: [hunter2]")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert "cms.token = (hidden)" in str(caught.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, monkeypatch, "cms: [")
    with pytest.raises(SettingsError, match="library.yaml cannot be read"):
        load_settings()


def test_a_configured_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(SettingsError, match="none.yaml, which does not exist"):
        load_settings()


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_CMS_TOKEN", "hunter2")
    monkeypatch.setenv("LIBRARY_DATABASE_URL", "postgresql://me:hunter2@db/library")
    assert "hunter2" not in repr(load_settings())
