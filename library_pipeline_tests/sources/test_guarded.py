"""Where connections really go, for the manifest and for files, whatever names resolve to."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import httpcore
import pytest

from library_pipeline.bundles.download import FileError, SourceFiles
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import Auth, CmsConnection
from library_pipeline.sources.http.rules import AllowedAddresses
from library_pipeline.sources.http.transport import GuardedBackend
from library_pipeline_tests.support.web_server import EMPTY_PAGE, answer, web_server

SECRET = "hu5h+hush/&="
ENCODED = "hu5h%2Bhush%2F%26%3D"
AUTHS = [
    Auth(kind="bearer", secret="hu5h"),  # pyright: ignore[reportArgumentType]
    Auth(kind="basic", user="me", secret=SECRET),  # pyright: ignore[reportArgumentType]
    Auth(kind="header", name="X-Api-Key", secret=SECRET),  # pyright: ignore[reportArgumentType]
    Auth(kind="query", name="api key", secret=SECRET),  # pyright: ignore[reportArgumentType]
]
GIVEN = ["Bearer hu5h", "Basic bWU6aHU1aCtodXNoLyY9", SECRET, f"api%20key={ENCODED}"]
INSIDE = ["169.254.169.254", "10.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", "::1", "fd00::1"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class FakeNames:
    """A name server in place of the real one: a name's answers in turn, the last one for good."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(turns) for name, turns in answers.items()}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        turns = self._answers.get(host)
        if turns is None:
            return self._real(host, port, *args, **kwargs)
        self.asked.append(host)
        texts = turns.pop(0) if len(turns) > 1 else turns[0]
        return [self._entry(text, port) for text in texts]

    @staticmethod
    def _entry(text: str, port: int) -> tuple[Any, ...]:
        if ":" in text:
            return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (text, port, 0, 0))
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeNames]:
    def install(**answers: Sequence[Sequence[str]]) -> FakeNames:
        names = FakeNames(**answers)
        monkeypatch.setattr(socket, "getaddrinfo", names)
        return names

    return install


@dataclass
class FakeNetwork(httpcore.AsyncNetworkBackend):
    """Writes down where it would connect to, and cannot."""

    connected: list[tuple[str, float | None]] = field(default_factory=list)

    async def connect_tcp(self, host: str, port: int, timeout: Any = None, *_: Any) -> Any:
        self.connected.append((host, timeout))
        raise httpcore.ConnectError("no network")


@contextmanager
def cms(*, redirect_to: str = "") -> Iterator[tuple[int, list[BaseHTTPRequestHandler]]]:
    """A server on 127.0.0.1 that answers an empty page, or leads elsewhere: its port, requests."""
    requests: list[BaseHTTPRequestHandler] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler)
        location = redirect_to.replace("{query}", urlsplit(handler.path).query)
        if redirect_to:
            answer(handler, b"", 302, Location=location)
        else:
            answer(handler, EMPTY_PAGE)

    with web_server(handle) as url:
        yield int(url.rpartition(":")[2]), requests


def connection_to(base_url: str, **settings: Any) -> CmsConnection:
    fast = {"max_attempts": 1, "timeout_seconds": 5.0, "concurrency": 1}
    return CmsConnection.model_validate({"base_url": base_url, **fast, **settings})


def read_manifest(connection: CmsConnection) -> None:
    with HttpCms(connection) as source:
        list(source.pages())


def download(connection: CmsConnection, url: str = "") -> None:
    async def get() -> None:
        async with SourceFiles(contract_source(connection)) as files:
            await files.get(url or f"{connection.base_url}/file", "screenshot")

    asyncio.run(get())


BOTH = pytest.mark.parametrize("ask", [read_manifest, download])


def refusal(ask: Callable[[CmsConnection], None], connection: CmsConnection) -> Any:
    with pytest.raises((ManifestError, FileError)) as caught:
        ask(connection)
    error: Any = caught.value
    assert error.code.removeprefix("manifest.") == "private_address"
    assert not error.transient
    assert "list it in cms.allowed_networks, like " in error.message
    return error


@BOTH
@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_never_connected_to(
    resolve: Callable[..., FakeNames], ask: Callable[[CmsConnection], None], address: str
) -> None:
    resolve(cms_example_com=[[address]])
    with cms() as (port, requests):
        error = refusal(ask, connection_to(f"http://cms.example.com:{port}"))
        assert f"host 'cms.example.com' is at {address.removeprefix('::ffff:')}, " in error.message
        assert requests == []


@BOTH
def test_an_address_written_as_one_number_is_the_name_of_nothing_allowed(
    ask: Callable[[CmsConnection], None],
) -> None:
    """The real resolver takes 2130706433 for 127.0.0.1, as browsers and curl do."""
    with cms() as (port, requests):
        refusal(ask, connection_to(f"http://2130706433:{port}"))
        assert requests == []


@BOTH
def test_a_name_may_lead_into_a_listed_network(
    resolve: Callable[..., FakeNames], ask: Callable[[CmsConnection], None]
) -> None:
    resolve(cms_internal=[["127.0.0.1"]])
    with cms() as (port, requests):
        url = f"http://cms.internal:{port}"
        ask(connection_to(url, allowed_networks=("127.0.0.0/8",)))
        assert [request.headers["Host"] for request in requests] == [f"cms.internal:{port}"]
        refusal(ask, connection_to(url, allowed_networks=("10.0.0.0/8",)))


@BOTH
def test_localhost_needs_no_listing(ask: Callable[[CmsConnection], None]) -> None:
    with cms() as (port, requests):
        ask(connection_to(f"http://localhost:{port}"))
        assert len(requests) == 1


@BOTH
def test_a_redirect_to_a_listed_host_that_leads_inside_is_not_followed(
    resolve: Callable[..., FakeNames], ask: Callable[[CmsConnection], None]
) -> None:
    resolve(cdn_example_com=[["127.0.0.1"]])
    with (
        cms() as (inner, secrets),
        cms(redirect_to=f"http://cdn.example.com:{inner}/") as (port, requests),
    ):
        listed = (f"cdn.example.com:{inner}",)
        error = refusal(ask, connection_to(f"http://127.0.0.1:{port}", allowed_hosts=listed))
        assert "host 'cdn.example.com'" in error.message
        assert (len(requests), secrets) == (1, [])


@BOTH
def test_a_name_that_changes_its_mind_is_connected_where_it_was_checked(
    resolve: Callable[..., FakeNames], ask: Callable[[CmsConnection], None]
) -> None:
    """DNS rebinding: the second answer would come after the check."""
    names = resolve(cms_example_com=[["127.0.0.2", "127.0.0.1"], ["10.0.0.1"]])
    with cms() as (port, requests):
        url = f"http://cms.example.com:{port}"
        # Nothing listens at 127.0.0.2, so the next one is taken.
        ask(connection_to(url, allowed_networks=("127.0.0.0/8",)))
        assert len(requests) == 1
        assert names.asked == ["cms.example.com"]


def test_only_checked_addresses_are_tried_both_families_in_turn(
    resolve: Callable[..., FakeNames],
) -> None:
    found = ["10.0.0.1", "2606:4700::1", "2606:4700::2", "::1", "8.8.8.8", "8.8.8.8"]
    names = resolve(cms_example_com=[found, ["10.0.0.1"]])
    network = FakeNetwork()
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(
            GuardedBackend(AllowedAddresses(), network).connect_tcp("cms.example.com", 443, 30.0)
        )
    assert [host for host, _ in network.connected] == ["2606:4700::1", "8.8.8.8", "2606:4700::2"]
    waits = [timeout for _, timeout in network.connected]
    assert waits[:2] == [1.0, 1.0]
    assert 29 < (waits[2] or 0) <= 30
    assert names.asked == ["cms.example.com"]


def test_files_are_fetched_from_checked_addresses_only(resolve: Callable[..., FakeNames]) -> None:
    names = resolve(cms_example_com=[["10.0.0.1", "8.8.8.8"], ["10.0.0.1"]])
    network = FakeNetwork()
    backend = GuardedBackend(AllowedAddresses(), network)
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(backend.connect_tcp("cms.example.com", 443, 30.0))
    assert [host for host, _ in network.connected] == ["8.8.8.8"]
    assert names.asked == ["cms.example.com"]


def test_certificates_are_checked_against_the_name(resolve: Callable[..., FakeNames]) -> None:
    resolve(cms_example_com=[["8.8.8.8"]])
    names: list[Any] = []

    class FakeStream(httpcore.AsyncNetworkStream):
        async def start_tls(self, *_: Any, server_hostname: Any = None, **__: Any) -> Any:
            names.append(server_hostname)
            raise httpcore.ConnectError("no TLS")

    class FakeBackend(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, *_: Any) -> Any:
            names.append(host)
            return FakeStream()

    async def ask() -> None:
        backend = GuardedBackend(AllowedAddresses(), FakeBackend())
        async with httpcore.AsyncConnectionPool(network_backend=backend) as pool:
            await pool.request("GET", "https://cms.example.com/")

    with pytest.raises(httpcore.ConnectError):
        asyncio.run(ask())
    assert names == ["8.8.8.8", "cms.example.com"]


@BOTH
@pytest.mark.parametrize("name", ["cms.invalid", f"{'a' * 70}.example.com", "a..b"])
def test_a_name_that_is_nowhere_is_an_unreachable_cms(
    ask: Callable[[CmsConnection], None], name: str
) -> None:
    try:
        connection = connection_to(f"http://{name}")
    except ValueError:
        return  # no URL can hold it
    with pytest.raises((ManifestError, FileError)) as caught:
        ask(connection)
    error: Any = caught.value
    assert (error.code.removeprefix("manifest."), error.transient) == ("unreachable", True)


def seen(requests: Iterable[BaseHTTPRequestHandler]) -> str:
    return "\n".join(f"{request.path}\n{request.headers}" for request in requests)


@BOTH
@pytest.mark.parametrize(("auth", "given"), zip(AUTHS, GIVEN, strict=True))
def test_credentials_go_to_the_cms_and_do_not_follow_a_redirect(
    ask: Callable[[CmsConnection], None],
    auth: Auth,
    given: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even where the CMS repeats its query, with the key, in where it leads."""
    caplog.set_level(logging.DEBUG, "httpx")
    with (
        cms() as (foreign, others),
        cms(redirect_to=f"http://127.0.0.1:{foreign}/there?{{query}}&x=1") as (port, requests),
    ):
        connection = connection_to(
            f"http://127.0.0.1:{port}", auth=auth, allowed_hosts=(f"127.0.0.1:{foreign}",)
        )
        ask(connection)
        assert (len(requests), len(others)) == (1, 1)
        assert given in seen(requests)
        assert "hu5h" not in seen(others)
        assert "x=1" in others[0].path
        assert "bWU6" not in seen(others)
    shown = f"{connection!r} {connection} {auth!r} {auth} {connection.model_dump()} {caplog.text}"
    assert "hu5h" not in shown


@BOTH
@pytest.mark.parametrize("auth", AUTHS)
def test_no_log_shows_credentials(
    ask: Callable[[CmsConnection], None], auth: Auth, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("httpx", "httpcore", ""):
        caplog.set_level(logging.DEBUG, logger)
    with cms() as (port, requests):
        ask(connection_to(f"http://127.0.0.1:{port}", auth=auth))
        assert len(requests) == 1
    assert "send_request_headers" in caplog.text
    assert "hu5h" not in caplog.text


@pytest.mark.parametrize(("auth", "given"), zip(AUTHS, GIVEN, strict=True))
def test_credentials_are_not_given_to_a_host_that_only_keeps_files(auth: Auth, given: str) -> None:
    with cms() as (foreign, others), cms() as (port, requests):
        connection = connection_to(
            f"http://127.0.0.1:{port}", auth=auth, allowed_hosts=(f"127.0.0.1:{foreign}",)
        )
        download(connection, f"http://127.0.0.1:{foreign}/file?a=b")
        download(connection, f"http://127.0.0.1:{port}/file?a=b")
        assert "hu5h" not in seen(others)
        assert "bWU6" not in seen(others)
        assert given in seen(requests)
        assert requests[0].path.startswith("/file?a=b")


@BOTH
def test_no_error_shows_a_key_of_the_query(ask: Callable[[CmsConnection], None]) -> None:
    with web_server(lambda handler: answer(handler, b"no", 403)) as url:
        for settings in ({}, {"base_url": "http://127.0.0.1:9"}):
            with pytest.raises((ManifestError, FileError)) as caught:
                ask(connection_to(**{"base_url": url, "auth": AUTHS[3]} | settings))
            chain: BaseException | None = caught.value
            while chain:
                assert "hu5h" not in f"{chain!r} {chain}"
                chain = chain.__cause__ or chain.__context__


def test_a_proxy_resolves_names_itself_and_gets_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with cms() as (port, requests):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        read_manifest(connection_to("http://cms.invalid", auth=AUTHS[3]))
        assert requests[0].path == f"http://cms.invalid/components?limit=500&{GIVEN[3]}"
        monkeypatch.setenv("no_proxy", "localhost")
        read_manifest(connection_to(f"http://localhost:{port}"))
        assert requests[1].path == "/components?limit=500"
