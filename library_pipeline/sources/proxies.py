"""Proxies that the environment names. They resolve names, so no address is checked behind one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx

from library_pipeline.sources.http_client import tls_context

Proxy = TypeVar("Proxy")


def environment_proxies() -> dict[str, httpx.Proxy]:
    """Return the proxies of HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, by scheme; `all` for any."""
    found = {scheme: getproxies().get(scheme) for scheme in ("http", "https", "all")}
    return {scheme: _proxy(url) for scheme, url in found.items() if url}


def proxy_for(proxies: Mapping[str, Proxy], scheme: str, host: str, port: int) -> Proxy | None:
    """Return which of `proxies` is to be asked for a host; None where it is in NO_PROXY."""
    proxy = proxies.get(scheme) or proxies.get("all")
    return None if proxy is None or proxy_bypass(f"{host}:{port}") else proxy


def _proxy(url: str) -> httpx.Proxy:
    proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
    if proxy.url.scheme == "https":  # httpcore takes a context for no other
        proxy.ssl_context = tls_context()
    return proxy
