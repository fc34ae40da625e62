"""docs/sources.md: every example is one that a newcomer can paste."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
import yaml

from library_pipeline.settings import Settings, SettingsError, load_settings
from library_pipeline.settings.source_keys import (
    AuthSettings,
    Kind,
    MappingSettings,
    PagingSettings,
    Preset,
    SourceSettings,
)
from library_pipeline.sources.factory import configured_sources

PAGE = Path(__file__).parents[1] / "docs" / "sources.md"
_FENCED = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINES_OF_A_START = 10


@dataclass(frozen=True)
class Example:
    """A fenced block of YAML and the line of the page that it begins at."""

    line: int
    text: str


def examples() -> Iterator[Example]:
    page = PAGE.read_text()
    for block in _FENCED.finditer(page):
        if re.search(r"^sources:", block[1], re.MULTILINE):
            yield Example(page.count("\n", 0, block.start(1)) + 1, block[1])


EXAMPLES = list(examples())
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"line {each.line}")


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    return Load(tmp_path, monkeypatch)


class Load:
    """Loads an example as library.yaml, with the secrets that it names in their places."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self._folder, self._environment = folder, environment
        environment.setenv("LIBRARY_CONFIG", str(folder / "library.yaml"))

    def __call__(self, example: Example) -> Settings:
        (self._folder / "library.yaml").write_text(example.text)
        for source in yaml.safe_load(example.text)["sources"]:
            for secret in (source.get("auth", {}), source.get("webhook", {})):
                if variable := secret.get("secret_env"):
                    self._environment.setenv(variable, "secret")
                if file := secret.get("secret_file"):
                    (self._folder / file).write_text("secret\n")
        return load_settings()


@each_example
def test_example_can_be_pasted(example: Example, load: Load) -> None:
    """It is valid, its secrets can be read, and all of its expressions and templates compile."""
    try:
        for source in configured_sources(load(example)):
            if not source.identity.startswith("sql:"):  # opening that one connects
                with source.open():
                    pass
    except (SettingsError, ValueError) as error:
        pytest.fail(f"{PAGE.name}, the example at line {example.line}: {error}")


def test_there_is_a_short_example_of_everything() -> None:
    """The page promises ten lines for each preset and each kind."""
    short = [each for each in EXAMPLES if len(each.text.splitlines()) <= _LINES_OF_A_START]
    sources = [source for each in short for source in yaml.safe_load(each.text)["sources"]]
    assert {source.get("preset") for source in sources} >= {*get_args(Preset)}
    assert {source.get("kind", "http") for source in sources} == {*get_args(Kind)}


def test_a_wrong_example_is_named_by_its_line(load: Load) -> None:
    wrong = Example(7, "sources:\n  - {name: shop, preset: shopify, url: https://example.com}\n")
    with pytest.raises(pytest.fail.Exception, match=r"at line 7: .*(\n.*)*'shopify'"):
        test_example_can_be_pasted(wrong, load)


def test_every_key_of_a_source_is_documented() -> None:
    reference = (PAGE.parent / "configuration.md").read_text()
    sections = {"auth.": AuthSettings, "paging.": PagingSettings, "mapping.": MappingSettings}
    for section, model in {"": SourceSettings, **sections}.items():
        for key in model.model_fields:
            assert re.search(rf"^\|[^|]*`{section}{key}`", reference, re.MULTILINE), section + key
