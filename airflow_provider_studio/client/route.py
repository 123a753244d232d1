# SPDX-License-Identifier: Apache-2.0
"""The way to Studio: its host and the proxy before it, and why no connection came about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError

from airflow_provider_studio.client.errors import StudioConfigurationError

_SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_PROXY_SCHEMES = frozenset({"http", "https"}) | _SOCKS
_NAME = re.compile(r"[\w.:-]+")
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
_MOST_CAUSES = 10


@dataclass(frozen=True)
class Route:
    """The way of a request.

    :param host: scheme, host and port of Studio.
    :param proxy: the same of the proxy, without its credentials; None without a proxy.
    """

    host: str
    proxy: str | None = None

    def failure(self, error: Exception) -> str:
        """Return in words why there was no connection, and what to check."""
        causes = list(_causes(error))
        if isinstance(error, requests.exceptions.SSLError):
            return f"the TLS handshake failed; check the host {self.host} and its certificate"
        if self.proxy is not None:
            return f"no connection through the proxy {self.proxy}: {self._failure_of_proxy(causes)}"
        if any(isinstance(cause, NameResolutionError) for cause in causes):
            return f"the name of the host {self.host} cannot be resolved; check the connection's host, and DNS"
        return f"no connection to {self.host}; check the connection's host, the network and proxies"

    def _failure_of_proxy(self, causes: list[BaseException]) -> str:
        statuses = [found[1] for cause in causes if (found := _TUNNEL_STATUS.search(str(cause)))]
        if "407" in statuses:
            return (
                "it requires credentials (407); write them into HTTPS_PROXY, percent-encoded, as in "
                "http://user:password@proxy.example.com:3128"
            )
        if statuses:
            return f"it refuses {self.host} ({statuses[0]}); check its rules, or add the host to NO_PROXY"
        if any(isinstance(cause, NameResolutionError) for cause in causes):
            return "its name cannot be resolved; check HTTPS_PROXY"
        return "it does not respond as a proxy; check HTTPS_PROXY, or add the host to NO_PROXY"


def checked_proxy(proxy: str | None) -> str | None:
    """Return scheme, host and port of a proxy, which `requests` would use; None if there is none.

    :raises StudioConfigurationError: the environment names a proxy that is no URL, or one that needs a package.
    """
    if not proxy:
        return None
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        port = parts.port
        usable = parts.scheme in _PROXY_SCHEMES and bool(_NAME.fullmatch(parts.hostname or ""))
    except ValueError:
        usable = False
    if not usable:
        shown = "a URL with credentials in it" if "@" in proxy else repr(proxy)
        raise StudioConfigurationError(
            f"HTTPS_PROXY or ALL_PROXY is {shown}, which is no URL of a proxy; it must look like "
            "http://proxy.example.com:3128, or be unset."
        )
    if parts.scheme in _SOCKS and find_spec("socks") is None:
        raise StudioConfigurationError(
            f"HTTPS_PROXY or ALL_PROXY names a proxy of the kind {parts.scheme}, for which a package is missing: "
            "pip install 'requests[socks]' on every host, or use an HTTP proxy."
        )
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of `requests` and those of the layers below that it contains."""
    pending = [error]
    for _ in range(_MOST_CAUSES):
        if not pending:
            return
        current = pending.pop()
        yield current
        inner = (getattr(current, "reason", None), getattr(current, "original_error", None), *current.args)
        pending.extend(found for found in inner if isinstance(found, BaseException))
