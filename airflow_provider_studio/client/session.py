# SPDX-License-Identifier: Apache-2.0
"""The HTTP session of one credential: its headers, its connections, and what it takes from the environment.

It follows no redirect and stores no cookie: both let a server decide what is sent where, and how much. Without a
redirect's target, `requests` also does not read a redirect's body, which it would do without a limit.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth

from airflow_provider_studio import __version__
from airflow_provider_studio.client.auth import Credentials
from airflow_provider_studio.client.delivery import RecordingAdapter
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.host import is_loopback
from airflow_provider_studio.client.route import Route, checked_proxy

_POOL_SIZE = 32


class _Bearer(requests.auth.AuthBase):
    """Authorizes with a bearer token."""

    def __init__(self, bearer: str) -> None:
        self._bearer = bearer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._bearer}"
        return request


class StudioSession(requests.Session):
    """Sends requests with one credential over connections that record the phase of each.

    :param credentials: the credentials; the secret is used only in the Authorization header.
    :param bearer: a bearer token instead of token and secret.
    """

    def __init__(self, credentials: Credentials, bearer: str | None = None) -> None:
        super().__init__()
        self._is_loopback = is_loopback(urlsplit(credentials.host).hostname or "")
        self._environments: dict[str, tuple[Mapping[str, Any], Route]] = {}
        self.route = Route(credentials.host)
        self.auth = (
            HTTPBasicAuth(credentials.token.encode(), credentials.secret.encode())
            if bearer is None
            else _Bearer(bearer)
        )
        self.headers["Accept"] = "application/hal+json" if bearer is None else "application/json"
        self.headers["Accept-Encoding"] = "gzip, deflate"  # their decompression is limited
        self.headers["User-Agent"] = f"airflow-provider-studio/{__version__}"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = RecordingAdapter(pool_maxsize=_POOL_SIZE)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, for any response."""

    def environment_of(self, prepared: requests.PreparedRequest) -> Mapping[str, Any]:
        """Return the proxies and the certificate authorities that the environment names, read once for each origin.

        The proxies are used for Studio, not for an emulator on this machine; the authorities for both.

        :raises StudioConfigurationError: the environment names unusable authorities or an unusable proxy.
        """
        scheme, _, rest = (prepared.url or "").partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        if origin not in self._environments:
            self._environments[origin] = self._read_environment(origin)
        settings, self.route = self._environments[origin]
        return settings

    def _read_environment(self, url: str) -> tuple[Mapping[str, Any], Route]:
        """Return the settings for requests to a URL, and the way that they take."""
        settings = self.merge_environment_settings(url, {}, True, None, None)
        if self._is_loopback:
            settings["proxies"] = {}
        if url.startswith("https:") and isinstance(settings["verify"], str):
            _check_authorities(settings["verify"])
        proxy = checked_proxy(requests.utils.select_proxy(url, settings["proxies"]))
        return settings, Route(self.route.host, proxy)


def _check_authorities(bundle: str) -> None:
    """Load a file or folder of authorities; each connection that cannot would look like a broken one."""
    path = Path(bundle)
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(bundle)
    except OSError as error:
        problem = "does not exist on this host" if not path.exists() else f"cannot be loaded ({error.strerror})"
        raise StudioConfigurationError(
            f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is {bundle!r}, which {problem}; "
            "set it to a file or folder of certificate authorities, or unset it."
        ) from None
