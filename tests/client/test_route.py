# SPDX-License-Identifier: Apache-2.0
"""What stands between a worker and Studio: authorities, proxies, a dead host. Each is named with its fix."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioAPIError, StudioConfigurationError, StudioConnectionError
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of
from tests.raw_server import RawServer
from tests.tls_server import Proxy

REMOTE = "https://studio.invalid"
"""A name that no DNS has."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def client_at(url: str) -> StudioClient:
    credentials = Credentials("acme", "token", "hush-hush", url, TokenKind.WORKSPACE)
    return StudioClient(credentials, limiter=RateLimiter.unlimited(), retries=RetryPolicy(attempts=1))


def failed_start(url: str) -> StudioConnectionError:
    """Start a Report run where nothing can arrive, and return the error."""
    with client_at(url) as client, pytest.raises(StudioConnectionError) as caught:
        client.create_report_run("0123456789ab")
    assert not caught.value.may_have_arrived
    assert "hush" not in str(caught.value)
    return caught.value


@pytest.fixture(params=["file", "folder"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A bundle of authorities that OpenSSL loads."""
    path = tmp_path / "authorities"
    if request.param == "folder":
        path.mkdir()
    else:
        trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_a_bundle_that_can_be_loaded_is_used(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert "cannot be resolved" in str(failed_start(REMOTE))


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "does not exist"), (b"", "cannot be"), (b"no PEM", "cannot be")]
)
def test_a_bundle_that_cannot_be_loaded_is_named_before_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with client_at(REMOTE) as client, pytest.raises(StudioConfigurationError) as caught:
        client.create_report_run("0123456789ab")
    assert f"is {str(path)!r}, which {problem}" in str(caught.value)
    assert client.spending.requests == 0


@pytest.mark.parametrize(
    "value",
    ["no proxy here", "http://", "://proxy", "ftp://proxy:3128", "http://proxy:port", "http://[::1"],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_is_no_url_is_named_before_a_request(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with client_at(REMOTE) as client, pytest.raises(StudioConfigurationError, match="is no URL of a proxy; it must"):
        client.create_report_run("0123456789ab")
    assert client.spending.requests == 0


def test_the_credentials_of_a_proxy_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:hush@proxy:3128")
    with client_at(REMOTE) as client, pytest.raises(StudioConfigurationError, match="a URL with credentials") as caught:
        client.verify()
    assert "hush" not in str(caught.value)


@pytest.mark.skipif(find_spec("socks") is not None, reason="the package for SOCKS is installed")
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_socks_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://proxy.example.com:1080")
    with client_at(REMOTE) as client, pytest.raises(StudioConfigurationError, match=r"pip install 'requests\[socks\]'"):
        client.create_report_run("0123456789ab")
    assert client.spending.requests == 0


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (b"407 Proxy Authentication Required", "it requires credentials (407); write them into HTTPS_PROXY"),
        (b"403 Forbidden", f"it refuses {REMOTE} (403); check its rules, or add the host to NO_PROXY"),
        (b"502 \x1b[2JBad Gateway", f"it refuses {REMOTE} (502)"),
    ],
    ids=["407", "403", "502"],
)
def test_a_proxy_that_refuses_is_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, status: bytes, message: str
) -> None:
    with Proxy(1, status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://me:hush@"))
        text = str(failed_start(REMOTE))
    assert f"no connection through the proxy {proxy.url}: {message}" in text
    assert text.isprintable()


def test_a_proxy_that_speaks_no_http_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(b"SSH-2.0-OpenSSH_9.6\r\n") as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        assert f"through the proxy {server.url}: it does not respond as a proxy" in str(failed_start(REMOTE))


def test_a_proxy_without_a_name_in_dns_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.invalid:3128")
    text = str(failed_start(REMOTE))
    assert "through the proxy http://proxy.invalid:3128: its name cannot be resolved" in text


def test_a_host_without_a_name_in_dns_is_named() -> None:
    assert f"the name of the host {REMOTE} cannot be resolved" in str(failed_start(REMOTE))


def test_a_host_where_nothing_listens_is_named() -> None:
    from tests.system.live_airflow import free_ports

    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert f"no connection to {url}; check the connection's host" in str(failed_start(url))


def test_a_407_in_place_of_a_response_names_the_fix(emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=407, body={"message": "Proxy Authentication Required"})
    with (
        client_of(emulator) as client,
        pytest.raises(StudioAPIError, match="write them, percent-encoded, into the URL"),
    ):
        client.verify()
