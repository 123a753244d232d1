# SPDX-License-Identifier: Apache-2.0
"""The host of a connection: one spelling for each, and errors that name it."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.auth import Credentials
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.host import base_url


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        (None, None, "https://app.mode.com"),
        (" ", None, "https://app.mode.com"),
        ("eu.mode.com", None, "https://eu.mode.com"),
        ("https://eu.mode.com/", None, "https://eu.mode.com"),
        ("https://eu.mode.com\n", None, "https://eu.mode.com"),
        ("HTTPS://EU.Mode.com", None, "https://eu.mode.com"),
        ("https://eu.mode.com:443", None, "https://eu.mode.com"),
        ("eu.mode.com", 443, "https://eu.mode.com"),
        ("https://eu.mode.com:443", 443, "https://eu.mode.com"),
        ("https://eu.mode.com.", None, "https://eu.mode.com"),
        ("eu.mode.com.:443", None, "https://eu.mode.com"),
        ("eu.mode.com:8443", None, "https://eu.mode.com:8443"),
        ("eu.mode.com:8443", 8443, "https://eu.mode.com:8443"),
        ("münchen.example", None, "https://xn--mnchen-3ya.example"),
        ("127.0.0.1", 8181, "http://127.0.0.1:8181"),
        ("http://localhost:80", None, "http://localhost"),
        ("LOCALHOST:8181", None, "http://localhost:8181"),
        ("::1", 8181, "http://[::1]:8181"),
        ("[::1]:8181", None, "http://[::1]:8181"),
        ("https://127.0.0.1:8443", None, "https://127.0.0.1:8443"),
    ],
)
def test_each_host_has_one_spelling(host: str | None, port: int | None, url: str) -> None:
    assert base_url(host, port) == url
    assert base_url(url) == url


def test_spellings_of_one_host_share_one_budget() -> None:
    spellings = ("https://eu.mode.com", "HTTPS://eu.mode.com", "https://EU.mode.com:443/", "https://eu.mode.com.")
    assert len({Credentials("acme", "token", "secret", spelling).budget_key for spelling in spellings}) == 1


@pytest.mark.parametrize(
    "host",
    [
        "https://",
        "https:",
        "https:/eu.mode.com",
        "://eu.mode.com",
        "ftp://eu.mode.com",
        "https://eu.mode.com/acme",
        "https://eu.mode.com?x=1",
        "https://eu.mode.com#x",
        "https://eu.mode.com:",
        "https://eu.mode.com:port",
        "https://eu.mode.com:99999",
        "https://eu mode.com",
        "https://[::1",
        "https://-eu.mode.com",
        "https://" + "a" * 300,
        "https://.",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(StudioConfigurationError, match=r"host is .*; it must look like https://app\.mode\.com"):
        base_url(host)


def test_credentials_in_the_host_are_not_shown() -> None:
    with pytest.raises(StudioConfigurationError, match="host is a URL with credentials in it") as caught:
        base_url("https://me:hush@eu.mode.com")
    assert "hush" not in str(caught.value)


def test_two_ports_that_differ_are_refused() -> None:
    with pytest.raises(StudioConfigurationError, match=r"port is 80, and host is .* has port 8443; give one port"):
        base_url("eu.mode.com:8443", 80)


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(StudioConfigurationError, match=r"in the clear\. Use https://eu\.mode\.com"):
        base_url("http://eu.mode.com")
