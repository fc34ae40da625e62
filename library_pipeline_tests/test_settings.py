"""Settings: what is wrong is named with its key and value; secrets are never shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library_pipeline.settings import Settings, SettingsError, load_settings, read_secret
from library_pipeline.settings.fields import cron
from library_pipeline.settings.origins import known_variables


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


def test_every_relative_path_starts_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's processes are started elsewhere than the shell, and have to find the same files."""
    folder = tmp_path / "config"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "key").write_text("hunter2\n")
    secret, absolute = {"secret_file": "secrets/key"}, str(tmp_path / "absolute")
    shop = {"name": "shop", "url": "https://example.com", "auth": secret, "webhook": secret}
    keys = [
        shop,
        {"name": "near", "kind": "images", "path": "pictures"},
        {"name": "far", "kind": "images", "path": absolute},
        {"name": "rows", "kind": "sql", "sql": "select 1", "database_file": "secrets/database"},
    ]
    configure(folder, monkeypatch, yaml.safe_dump({"sources": keys, "bundle_store": "bundles"}))
    settings = load_settings()
    shop, near, far, rows = settings.sources
    assert shop.auth and shop.webhook
    assert read_secret(shop.auth).get_secret_value() == "hunter2"
    assert read_secret(shop.webhook).get_secret_value() == "hunter2"
    assert (near.path, far.path) == (folder / "pictures", Path(absolute))
    assert rows.database_file == folder / "secrets" / "database"
    assert settings.bundle_root == str(folder / "bundles")
    assert shop.model_fields_set == {"name", "url", "auth", "webhook"}


def test_every_wrong_key_is_named_with_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, "cms: {page_size: 100000, pagesize: 3}\nencoder: {device: 5}")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert (
        "cms.page_size = 100000 (library.yaml): it must be a whole number from 1 to 1000" in message
    )
    assert "cms.pagesize (library.yaml): there is no such key; did you mean `page_size`?" in message
    assert "cms has base_url, token, allowed_hosts, allowed_networks" in message
    assert (
        "encoder.device = 5 (library.yaml): it must be `auto`, `cpu`, `mps`, `cuda` or `cuda:<n>`"
        in message
    )


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
    with pytest.raises(SettingsError, match="none.yaml, which is not a file"):
        load_settings()


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_CMS_TOKEN", "hunter2")
    monkeypatch.setenv("LIBRARY_DATABASE_URL", "postgresql://me:hunter2@db/library")
    assert "hunter2" not in repr(load_settings())


def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """Return the message that a library.yaml is refused with."""
    configure(tmp_path, monkeypatch, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "encoders: [{name: a, framing: zoom}]",
            "encoders[0].framing = 'zoom' (library.yaml): it must be `auto`, `crop`, `pad` or",
        ),
        (
            "encoders: [{name: Big One}]",
            "encoders[0].name = 'Big One' (library.yaml): it must be a lower-case letter, "
            "then at most 39 letters, digits, _ or -",
        ),
        (
            "encoders: [7]",
            "encoders[0] = a number (library.yaml): it must be a section with the keys name",
        ),
        (
            "encoders: {name: a}",
            "encoders = a section (library.yaml): it must be a list, each item a section with the",
        ),
        ("cms: 5", "cms = a number (library.yaml): it must be a section with the keys base_url,"),
        (
            "cms: {timeout_seconds: 0}",
            "cms.timeout_seconds = 0 (library.yaml): it must be a number greater than 0",
        ),
        (
            "cms: {page_size: }",
            "cms.page_size = nothing (library.yaml): it must be a whole number from 1 to 1000; "
            "leave the line out for 500",
        ),
        (
            "cms: {allowed_hosts: [4]}",
            "cms.allowed_hosts[0] = 4 (library.yaml): it must be text",
        ),
        (
            "refresh: {max_removed_share: 20}",
            "refresh.max_removed_share = 20 (library.yaml): it must be a number from 0 to 1",
        ),
        (
            "refresh: {chunk_size: many}",
            "refresh.chunk_size = 'many' (library.yaml): it must be a whole number of at least 1",
        ),
        (
            "cms: {allowed_networks: [10.0.0.5/8]}",
            "cms.allowed_networks[0] = '10.0.0.5/8' (library.yaml): it must be a network like "
            "10.0.0.0/8 or fd00::/8; did you mean 10.0.0.0/8?",
        ),
        (
            "sources: [{name: a, url: https://a.example, allowed_networks: [cms.internal]}]",
            "sources[0].allowed_networks[0] = 'cms.internal' (library.yaml): it must be a network "
            "like 10.0.0.0/8 or fd00::/8; a host's name goes into allowed_hosts",
        ),
        (
            "sources: [{name: a, url: https://a.example, paging: {total: meta..count}}]",
            "sources[0].paging.total = 'meta..count' (library.yaml): it is not a JMESPath "
            "expression (",
        ),
        (
            'sources: [{name: a, url: https://a.example, paging: {total: "header: X Total"}}]',
            "sources[0].paging.total = 'header: X Total' (library.yaml): after `header:` comes",
        ),
        (
            "sources: [{name: a, kind: items, path: x, "
            'mapping: {files: {screenshot: {template: "{a"}}}}]',
            "sources[0].mapping.files.screenshot.template = '{a' (library.yaml): its braces do not",
        ),
        (
            "sources: [{name: a, kind: items, path: x, "
            'mapping: {files: {screenshot: {template: "{a.}"}}}}]',
            "screenshot.template = '{a.}' (library.yaml): the expression 'a.' in braces: it is not",
        ),
        (
            "encoder: {cpu_fallback: maybe}",
            "encoder.cpu_fallback = 'maybe' (library.yaml): it must be true or false",
        ),
        (
            "refresh: {full_schedule: daily}",
            "refresh.full_schedule = 'daily' (library.yaml): it must be a cron expression of five",
        ),
        (
            "refresh: {full_schedule: 0 25 * * *}",
            "refresh.full_schedule = '0 25 * * *' (library.yaml): its hour must be from 0 to 23",
        ),
        (
            "cms: {base_url: cms.example.com}",
            "cms.base_url = 'cms.example.com' (library.yaml): it must begin with http:// or https:",
        ),
        ("cms: {1: 2}", "cms[1] (library.yaml): a key must be a name"),
        ("home: 5", "home = 5 (library.yaml): it must be a folder's path"),
        ("page_size: 5", "there is no such key; did you mean `cms.page_size`?"),
        ("encoders: [{}, {}]", "encoders: the name 'clip' is given twice; each needs its own"),
    ],
)
def test_a_message_says_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: str
) -> None:
    monkeypatch.delenv("LIBRARY_HOME")
    monkeypatch.delenv("LIBRARY_ENCODER_MODEL")
    assert line in refused(tmp_path, monkeypatch, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "holds a list; it must hold lines like `home: .library`"),
        ("hunter2", "holds text; it must hold lines like `home: .library`"),
        ("5: hunter2", "holds keys that are no names"),
        ("a: b: hunter2", "as YAML: line 1, column 5: mapping values are not allowed here"),
        ("cms: {token: *hunter2}", "as YAML: line 1, column 14: found undefined alias ..."),
        ("cms: {token: !!int hunter2}", "looks like a date or a number but is none"),
        ("cms: {token: 2026-13-45}", "looks like a date or a number but is none"),
        ("cms: {token: !hunter2 x}", "could not determine a constructor for the tag ..."),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    """What YAML stumbles over may well be the token."""
    message = refused(tmp_path, monkeypatch, text)
    assert words in message
    assert "hunter2" not in message


def test_a_section_whose_keys_are_all_commented_out_is_as_if_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, "cms:\n#  page_size: 5\n")
    assert load_settings().cms.page_size == 500


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LIBRARY_CMS_BASEURL", "x", "did you mean LIBRARY_CMS_BASE_URL?"),
        ("LIBRARY_DATABSE_URL", "x", "did you mean LIBRARY_DATABASE_URL?"),
        ("LIBRARY_SOMETHING", "x", "there is no such variable; see docs/configuration.md"),
        ("LIBRARY_ENCODERS_0_MODEL", "x", "a list is set as a whole, as JSON in LIBRARY_ENCODERS"),
        ("LIBRARY_CMS_ALLOWED_HOSTS", "a,b", 'it must be JSON like ["a", "b"]'),
        ("LIBRARY_CMS", "hunter2", 'it must be JSON like {"key": "value"}'),
        (
            "LIBRARY_CMS_PAGE_SIZE",
            "lots",
            "cms.page_size = 'lots' (LIBRARY_CMS_PAGE_SIZE): it must be a whole number from 1 to",
        ),
        (
            "LIBRARY_CMS",
            '{"page_size": 0}',
            "cms.page_size = 0 (LIBRARY_CMS): it must be a whole number from 1 to 1000",
        ),
        (
            "LIBRARY_ENCODERS",
            '[{"name": "a"}]',
            "encoder is for one, encoders for several; remove one of the two "
            "(set by LIBRARY_ENCODERS, LIBRARY_ENCODER_MODEL)",
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "LIBRARY_PATH",
        "LIBRARY_TEST_CLIP",
        "LIBRARY_SERVICE_HOST",
        "LIBRARY_PORT_8400_TCP_ADDR",
        "LIBRARY_CMS_PORT",
        "LIBRARY_CMS_SERVICE_PORT_HTTP",
    ],
)
def test_variables_of_others_are_let_be(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A compiler has one, and Kubernetes sets some for a service called library or library-cms."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    assert load_settings().cms.base_url is None


def test_an_empty_variable_counts_as_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose files hand on variables that the machine does not have as empty ones."""
    configure(tmp_path, monkeypatch, "cms: {page_size: 7}")
    monkeypatch.setenv("LIBRARY_CMS_PAGE_SIZE", "")
    monkeypatch.setenv("LIBRARY_DATABASE_URL", "")
    assert load_settings().cms.page_size == 7
    assert load_settings().database_url is None


def test_lists_and_sections_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBRARY_ENCODER_MODEL")
    monkeypatch.setenv("LIBRARY_ENCODERS", '[{"name": "a"}, {"name": "b", "framing": "pad"}]')
    monkeypatch.setenv("LIBRARY_CMS", '{"page_size": 3, "concurrency": 5}')
    monkeypatch.setenv("LIBRARY_CMS_PAGE_SIZE", "4")
    monkeypatch.setenv("LIBRARY_CMS_ALLOWED_HOSTS", '["cdn.example.com"]')
    loaded = load_settings()
    assert [encoder.framing for encoder in loaded.encoders] == ["auto", "pad"]
    assert (loaded.cms.page_size, loaded.cms.concurrency) == (4, 5)
    assert loaded.cms.allowed_hosts == ("cdn.example.com",)


def test_a_section_within_a_section_is_json_or_variables_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIBRARY_CMS", '{"base_url": "http://cms", "webhook": 5}')
    monkeypatch.setenv("LIBRARY_CMS_WEBHOOK_KIND", "hmac-sha256")
    monkeypatch.setenv("LIBRARY_CMS_WEBHOOK_SECRET_FILE", "/run/secrets/calls")
    webhook = load_settings().webhooks["cms"]
    assert (webhook.kind, webhook.header_name) == ("hmac-sha256", "X-Hub-Signature-256")
    monkeypatch.setenv("LIBRARY_CMS_WEBHOOK", '{"secret_env": "hunter2", "header": "a b"}')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert (
        "cms.webhook.header = 'a b' (LIBRARY_CMS_WEBHOOK): it must be a header's name, like "
        "`X-Webhook-Token`"
    ) in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@db/library",
        "postgresql+psycopg2://me:hunter2@db/library",
        "me:hunter2@db",
    ],
)
def test_a_database_url_that_nothing_could_use_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """psycopg's own message would quote the whole of it."""
    monkeypatch.setenv("LIBRARY_DATABASE_URL", url)
    with pytest.raises(SettingsError, match=r"database_url = \(hidden\)") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@cms", "https://cms?token=hunter2", "ftp://me:hunter2@cms"]
)
def test_credentials_in_the_url_of_the_cms_are_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("LIBRARY_CMS_BASE_URL", url)
    with pytest.raises(SettingsError, match="LIBRARY_CMS_BASE_URL") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_the_value_of_an_unknown_key_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a secret whose key was misspelt."""
    message = refused(tmp_path, monkeypatch, "cms: {tokn: hunter2}")
    assert "cms.tokn (library.yaml): there is no such key; did you mean `token`?" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "schedule",
    ["0 3 * * 0", "*/5 0-4 1,15 jan-mar mon#2", "@daily", "0 0 L * *", "0 0 ? * SUN-TUE"],
)
def test_what_dagster_takes_as_a_schedule_passes(schedule: str) -> None:
    assert cron(schedule) == schedule


@pytest.mark.parametrize("schedule", ["", "0 3 * *", "60 * * * *", "0 0 * mon *", "a b c d e"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        cron(schedule)


def test_loading_settings_loads_nothing_heavy() -> None:
    """Every command pays for this import."""
    code = (
        "import sys, library_pipeline.settings; print([name for name in "
        "('torch', 'dagster', 'numpy', 'httpx', 'psycopg', 'transformers') if name in sys.modules])"
    )
    root = Path(__file__).parents[1]
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert outcome.stdout.strip() == "[]"


SECRET = "hunter2hunter2"
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(["", "auto", "cuda:", "0 0 * * *", "http://", "postgresql://", "~", "0x"])
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3),
    max_leaves=6,
)
secrets = st.sampled_from([SECRET, [SECRET], {"a": SECRET}, f"postgresql+x://me:{SECRET}@db"])
keys = st.sampled_from(sorted(known_variables(Settings).values()))
secret_keys = st.sampled_from(
    [("cms", "token"), ("database_url",), ("dagster_database_url",), ("cms", "tokn"), ("pw",)]
)


@given(
    values=st.dictionaries(keys, junk, max_size=5),
    hidden=st.dictionaries(secret_keys, secrets, max_size=3),
)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_junk_ends_in_a_message_that_shows_no_secret(
    tmp_path: Path, values: dict[tuple[str, ...], object], hidden: dict[tuple[str, ...], object]
) -> None:
    """Whatever stands in library.yaml: settings, or a SettingsError; nothing else."""
    content: dict[str, object] = {}
    for (outer, *inner), value in {**values, **hidden}.items():
        section = content.get(outer)
        if not inner:
            content[outer] = value
        else:
            content[outer] = {**(section if isinstance(section, dict) else {}), inner[0]: value}
    path = tmp_path / "junk.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LIBRARY_HOME", "LIBRARY_ENCODER_MODEL"):
            patch.delenv(name)
        patch.setenv("LIBRARY_CONFIG", str(path))
        try:
            shown = repr(load_settings())
        except SettingsError as error:
            shown = str(error)
    assert SECRET not in shown


@given(text=st.text(max_size=200) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_at_all_is_settings_or_a_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "junk.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIBRARY_CONFIG", str(path))
        try:
            load_settings()
        except SettingsError as error:
            assert str(path) in str(error)


@given(values=st.dictionaries(st.sampled_from(sorted(known_variables(Settings))), scalars))
@settings(deadline=None)
def test_any_variable_value_is_settings_or_a_message(values: dict[str, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            text = json.dumps(value, default=str)
            patch.setenv(name, os.fsdecode(text.encode(errors="surrogatepass")))
        try:
            load_settings()
        except SettingsError as error:
            assert "LIBRARY_" in str(error)
