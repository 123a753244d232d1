# SPDX-License-Identifier: Apache-2.0
"""A page of any site, opened on a developer's machine, reaches the emulator on localhost but not through its door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.browser_guard import BrowserGuard


@pytest.fixture(scope="module")
def running() -> Iterator[StudioEmulator]:
    with StudioEmulator("acme", reports=1) as emulator:
        emulator.control.set_speed(0)
        yield emulator


def sent(emulator: StudioEmulator, method: str, path: str, **headers: str) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    token, secret = emulator.credentials()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return session.request(method, f"{emulator.url}{path}", headers=names, auth=(token, secret), timeout=10)


PATHS = [("POST", "/_emulator/reset"), ("GET", "/_emulator/snapshot"), ("GET", "/api/acme/spaces?filter=custom")]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8181", "127.0.0.1.evil.example", "", "[::1", "localhost."]
)
def test_dns_rebinding_reads_and_changes_nothing(running: StudioEmulator, method: str, path: str, host: str) -> None:
    before = running.control.clock()
    running.control.set_speed(0)
    answer = sent(running, method, path, Host=host)
    assert answer.status_code in {400, 403}, "400 is the server's own for a malformed header"
    assert "acme" not in answer.text
    assert running.control.clock() == before, "no reset"


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_site_posts_nothing(
    running: StudioEmulator, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = sent(running, method, path, **headers)
    assert answer.status_code == 403
    assert "another site" in answer.text


def test_a_program_and_a_page_of_the_emulator_itself_are_served(running: StudioEmulator) -> None:
    port = running.url.rsplit(":", 1)[1]
    for headers in (
        {},
        {"Host": f"localhost:{port}"},
        {"Host": "[::1]:80"},
        {"Origin": running.url, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ):
        assert sent(running, "GET", "/api/acme/spaces?filter=custom", **headers).status_code == 200, headers


def test_a_host_with_a_name_of_its_own_is_served_under_it() -> None:
    guard = BrowserGuard(lambda *_arguments: None, ["Studio-Emulator"])  # type: ignore[arg-type,return-value]
    assert guard._is_own("studio-emulator:8181")
    assert not guard._is_own("evil.example:8181")
