# SPDX-License-Identifier: Apache-2.0
"""The emulator over HTTPS: its authority, and its TLS faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator


@pytest.fixture
def secure() -> Iterator[StudioEmulator]:
    with StudioEmulator(reports=1, tls=True) as running:
        yield running


def verify(emulator: StudioEmulator, trusted: Path | None) -> int:
    response = requests.get(
        f"{emulator.url}/api/verify", auth=emulator.credentials(), verify=str(trusted) if trusted else True, timeout=60
    )
    return response.status_code


def test_clients_that_have_its_authority_trust_it(secure: StudioEmulator) -> None:
    assert secure.url.startswith("https://")
    assert verify(secure, secure.ca_file) == 200
    with pytest.raises(requests.exceptions.SSLError):
        verify(secure, None)


def test_each_emulator_has_a_temporary_authority(secure: StudioEmulator) -> None:
    with StudioEmulator(reports=1, tls=True) as other:
        file = other.ca_file
        with pytest.raises(requests.exceptions.SSLError):
            verify(other, secure.ca_file)
    assert file is not None
    assert not file.exists()


def test_without_tls_there_is_no_authority(emulator: StudioEmulator) -> None:
    assert emulator.ca_file is None
    assert emulator.url.startswith("http://")


@pytest.mark.parametrize("kind", ["tls_handshake", "tls_untrusted"])
def test_a_handshake_fails_as_often_as_configured(secure: StudioEmulator, kind: str) -> None:
    secure.control.add_fault(kind, times=2)
    for _ in range(2):
        with pytest.raises(requests.exceptions.SSLError):
            verify(secure, secure.ca_file)
    assert verify(secure, secure.ca_file) == 200
    assert secure.control.requests_sent() == 1, "the other connections sent no request"


@pytest.mark.parametrize("kind", ["tls_alert", "tls_plain_text", "tls_no_close_notify"])
def test_a_connection_breaks_after_the_effect_of_a_request(secure: StudioEmulator, kind: str) -> None:
    report = secure.control.add_report()
    secure.control.add_fault(kind, method="POST")
    with pytest.raises(requests.ConnectionError) as caught:
        requests.post(
            f"{secure.url}/api/acme/reports/{report}/runs",
            auth=secure.credentials(),
            verify=str(secure.ca_file),
            timeout=60,
        )
    assert isinstance(caught.value, requests.exceptions.SSLError) == (kind != "tls_no_close_notify")
    assert len(secure.control.state()["reports"][report]["runs_started"]) == 1


def test_a_fault_of_tls_needs_tls(emulator: StudioEmulator) -> None:
    with pytest.raises(ValueError, match="'tls_alert' needs an emulator that was started with TLS"):
        emulator.control.add_fault("tls_alert")


def test_the_command_line_prints_the_authority_to_trust(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    argv = [sys.executable, "-m", "airflow_provider_studio.emulator", "--port", "0", "--reports", "1"]
    tls = ["--tls", "--ca-file", str(file)]
    with subprocess.Popen([*argv, *tls], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            url = program.stdout.readline().split()[-1]
            assert "https://127.0.0.1" in program.stdout.readline()
            assert program.stdout.readline() == f"export REQUESTS_CA_BUNDLE={file}\n"
            account = ("emulator-workspace", "emulator-secret")
            assert requests.get(f"{url}/verify", auth=account, verify=str(file), timeout=60).status_code == 200
        finally:
            program.kill()


def test_an_authority_without_tls_is_refused_on_the_command_line(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "airflow_provider_studio.emulator", "--ca-file", str(tmp_path / "ca.pem")]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert "--ca-file needs --tls" in ended.stderr
