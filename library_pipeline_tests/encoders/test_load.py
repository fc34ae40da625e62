"""Loading: once a process, and a clear word when a model cannot be had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from huggingface_hub import constants
from structlog.testing import capture_logs

from library_pipeline.encoders import EncoderError, encoder_identity, load_encoder
from library_pipeline.encoders.checkpoint import DEFAULT_MODEL, PINNED_REVISIONS
from library_pipeline.encoders.devices import resolve_device
from library_pipeline_tests.support.checkpoints import edit_json

COMMIT = "0123456789012345678901234567890123456789"


def refused(model: str, **options: object) -> EncoderError:
    with pytest.raises(EncoderError) as caught:
        encoder_identity(model, **options)  # type: ignore[arg-type]
    return caught.value


def cached_snapshot(cache: Path, model: str, source: Path, revision: str = "main") -> Path:
    """Lay `source` out as the hub's cache keeps a download."""
    repository = cache / f"models--{model.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in source.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    (repository / "refs").mkdir()
    (repository / "refs" / revision).write_text(COMMIT)
    return snapshot


def test_the_same_encoder_is_loaded_once_even_by_threads(checkpoint_folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        load = pool.map(lambda _: load_encoder(str(checkpoint_folder), name="one"), range(8))
        assert len(set(map(id, load))) == 1
    assert load_encoder(str(checkpoint_folder), name="two").name == "two"


def test_threads_are_a_setting(checkpoint_folder: Path) -> None:
    before = torch.get_num_threads()
    load_encoder(str(checkpoint_folder), device="cpu", threads=2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    with pytest.raises(EncoderError, match="threads is 0; it must be 1 or more"):
        load_encoder(str(checkpoint_folder), threads=0)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "", "cpu:0"])
def test_an_unknown_device_is_named(checkpoint_folder: Path, device: str) -> None:
    with pytest.raises(EncoderError, match=f"device {device!r} is not auto, cpu, cuda"):
        load_encoder(str(checkpoint_folder), device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_named(checkpoint_folder: Path) -> None:
    with pytest.raises(EncoderError, match=r"'cuda:1' is not available on .*CUDA.*; use `auto`"):
        load_encoder(str(checkpoint_folder), device="cuda:1", cpu_fallback=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_done_without_and_said_once(checkpoint_folder: Path) -> None:
    resolve_device.cache_clear()
    with capture_logs() as logs:
        for name in ("first", "second"):
            load_encoder(str(checkpoint_folder), name=name, device="cuda:2")
    assert [(line["asked"], line["used"]) for line in logs] == [("cuda:2", "cpu")]
    assert "built without CUDA" in logs[0]["reason"]


@pytest.mark.parametrize(
    "model",
    [
        "file:///etc/passwd",
        "https://example.org/model",
        "./nowhere",
        "/nowhere",
        "a/b/c",
        "",
        "../x",
        "a--b/c..d",
    ],
)
def test_only_folders_and_hub_names_are_models(model: str) -> None:
    error = refused(model)
    assert error.code == "encoder.bad_name"
    assert repr(model) in error.message


def test_a_model_of_another_family_is_named(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", model_type="blip")
    error = refused(str(own_checkpoint))
    assert error.code == "encoder.unsupported_family"
    assert (
        "'blip'; supported: clip, dinov2, dinov2_with_registers, siglip, siglip2" in error.message
    )


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", None, "there is no config.json"),
        ("preprocessor_config.json", None, "there is no preprocessor_config.json"),
        ("config.json", "{", "is not readable JSON"),
        ("config.json", "[]", "holds no JSON object"),
        ("tokenizer.json", None, "no tokenizer.json"),
        ("model.safetensors", None, "no model.safetensors"),
    ],
)
def test_an_incomplete_folder_says_what_is_missing(
    own_checkpoint: Path, file: str, content: str | None, words: str
) -> None:
    (own_checkpoint / file).unlink()
    if content is not None:
        (own_checkpoint / file).write_text(content)
    error = refused(str(own_checkpoint))
    assert error.code == "encoder.bad_checkpoint"
    assert words in error.message
    assert "model: demo" in error.message


def test_pickled_weights_are_not_read(own_checkpoint: Path) -> None:
    """Unpickling runs code: a folder with nothing but pytorch_model.bin is refused."""
    (own_checkpoint / "model.safetensors").rename(own_checkpoint / "pytorch_model.bin")
    assert "pickled weights are not read" in refused(str(own_checkpoint)).message


def test_a_model_without_a_projection_size_is_refused(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", projection_dim=None)
    assert (
        "`projection_dim` in config.json is None, not 1 to 4000"
        in refused(str(own_checkpoint)).message
    )


class TestHub:
    """Hub names: the cache is enough, and nothing is asked of the network when it is."""

    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def test_a_cached_model_works_offline(self, tmp_path: Path, checkpoint_folder: Path) -> None:
        cached_snapshot(tmp_path, "org/model", checkpoint_folder)
        encoder = load_encoder("org/model", device="cpu", cache_dir=tmp_path)
        assert encoder.model == "org/model"
        assert encoder.fingerprint == encoder_identity(str(checkpoint_folder))[0]

    def test_a_revision_is_a_branch_or_a_commit(
        self, tmp_path: Path, checkpoint_folder: Path
    ) -> None:
        cached_snapshot(tmp_path, "org/model", checkpoint_folder, revision="v2")
        for revision in ("v2", COMMIT):
            assert encoder_identity("org/model", revision=revision, cache_dir=tmp_path)
        assert refused("org/model", cache_dir=tmp_path).code == "encoder.offline"

    def test_the_default_model_is_pinned_to_the_commit_with_safetensors(
        self, tmp_path: Path
    ) -> None:
        """Its main branch holds pickled weights only."""
        error = refused(DEFAULT_MODEL, cache_dir=tmp_path)
        assert error.code == "encoder.offline"
        command = f"hf download {DEFAULT_MODEL} --revision {PINNED_REVISIONS[DEFAULT_MODEL]}"
        assert command in error.message
        assert "HF_HUB_OFFLINE" in error.message
        assert "model: demo" in error.message

    def test_an_incomplete_snapshot_says_what_it_lacks(
        self, tmp_path: Path, checkpoint_folder: Path
    ) -> None:
        snapshot = cached_snapshot(tmp_path, "org/model", checkpoint_folder)
        (snapshot / "model.safetensors").unlink()
        assert "no model.safetensors" in refused("org/model", cache_dir=tmp_path).message


class Refusal(BaseHTTPRequestHandler):
    """A hub that answers every request as the real one does for one reason."""

    status, reason = 404, "RepoNotFound"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("X-Error-Code", self.reason)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (Refusal,), {}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (404, "RepoNotFound", "encoder.not_found False the hub has no such model"),
        (403, "GatedRepo", "encoder.gated False its owner asks for an account"),
        (404, "RevisionNotFound", "encoder.not_found False the hub has no revision 'v9'"),
        (503, "", "encoder.offline True the hub cannot be reached"),
    ],
)
def test_the_hubs_refusals_are_told_apart(
    hub: ThreadingHTTPServer, tmp_path: Path, status: int, reason: str, expected: str
) -> None:
    """In a process of its own: the hub's address is read once, at import."""
    hub.RequestHandlerClass.status, hub.RequestHandlerClass.reason = status, reason  # type: ignore[attr-defined]
    program = (
        "from library_pipeline.encoders import EncoderError, encoder_identity\n"
        "try: encoder_identity('org/model', revision='v9')\n"
        "except EncoderError as e: print(e.code, e.transient, e.message.split(': ', 1)[1])\n"
    )
    environment = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}"}
    output = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert output.stdout.startswith(expected)
    assert "hf download org/model" in output.stdout
    assert output.stderr == ""
