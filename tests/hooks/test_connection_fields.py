# SPDX-License-Identifier: Apache-2.0
"""Connections that somebody wrote by hand: what is wrong is named before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.hooks.studio import StudioHook

SECRET = "hush-hush"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that defines the connection `studio_test`."""

    def define(**fields: Any) -> StudioHook:
        standard = {"conn_type": "studio", "login": "a-token", "password": SECRET, "schema": "acme"}
        monkeypatch.setenv("AIRFLOW_CONN_STUDIO_TEST", json.dumps({**standard, **fields}))
        return StudioHook("studio_test")

    return define


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "http"}, "conn_type is 'http'; it must be 'studio'"),
        ({"extra": "{'credential_kind': 'workspace'}"}, "extra is no JSON; it must be an object such as"),
        ({"extra": '{"discovery_access_secret": "hush-hush"'}, "extra is no JSON"),
        ({"extra": [1, 2]}, "extra is a JSON list; it must be an object"),
        ({"extra": '"hush-hush"'}, "extra is a JSON str"),
        ({"extra": {"token_kinds": "hush-hush"}}, "extra has 'token_kinds', which is unknown; it may have"),
        ({"host": "https://"}, "host is 'https://'; it must look like"),
        ({"host": "eu.mode.com:8443", "port": 80}, "port is 80, and host is 'https://eu.mode.com:8443', which"),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("use", ["client", "discovery_client"])
def test_what_is_wrong_is_named_wherever_the_connection_is_used(
    connect: Any, fields: dict[str, Any], message: str, use: str
) -> None:
    if use != "client":
        parts = {f"discovery_{part}": "x" for part in ("token", "access_key", "access_secret")}
        fields = fields if "extra" in fields or "conn_type" in fields else {**fields, "extra": parts}
    with pytest.raises(StudioConfigurationError) as caught:
        getattr(connect(**fields), use)
    assert str(caught.value).startswith(f"Connection 'studio_test': {message}")
    assert SECRET not in str(caught.value)


def test_extras_are_checked_before_a_source_is_chosen(connect: Any) -> None:
    with pytest.raises(StudioConfigurationError, match="Connection 'studio_test': extra is a JSON list"):
        _ = connect(extra=[1]).has_discovery


def test_spellings_of_one_host_share_a_budget(connect: Any) -> None:
    spellings = ({"host": "HTTPS://EU.mode.com"}, {"host": "eu.mode.com."}, {"host": "eu.mode.com", "port": 443})
    keys = {connect(**fields).client._transport._limiter._key for fields in spellings}
    assert len(keys) == 1


def of_emulator(emulator: StudioEmulator, kind: str) -> dict[str, Any]:
    token, secret = emulator.credentials(kind)
    return {"host": emulator.url, "login": token, "password": secret}


@pytest.mark.parametrize("kind", ["workspace", "member"])
def test_a_declared_kind_that_the_response_confirms_is_reported(
    connect: Any, emulator: StudioEmulator, kind: str
) -> None:
    hook = connect(**of_emulator(emulator, kind), extra={"credential_kind": kind})
    assert hook.test_connection() == (True, f"Connected to the workspace 'acme' with a {kind.capitalize()} token.")


def test_a_declared_kind_that_the_response_contradicts_is_an_error(connect: Any, emulator: StudioEmulator) -> None:
    hook = connect(**of_emulator(emulator, "member"), extra={"credential_kind": "workspace"})
    ok, said = hook.test_connection()
    assert not ok
    assert "but credential_kind is workspace and the response names a Member token; correct credential_kind, or" in said


def test_a_declared_kind_that_the_response_does_not_name_is_not_claimed(connect: Any, emulator: StudioEmulator) -> None:
    hook = connect(**of_emulator(emulator, "workspace"), extra={"credential_kind": "workspace"})
    emulator.control.add_fault("status", status=200, body={"workspace": "acme", "_links": {}})
    unnamed = "The response does not name the kind of the token; credential_kind is workspace."
    assert hook.test_connection() == (True, f"Connected to the workspace 'acme'. {unnamed}")


def test_a_dead_host_is_named(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.system.live_airflow import free_ports

    monkeypatch.setattr("airflow_provider_studio.client.retry_policy.RetryPolicy.is_enough", lambda *_: True)
    port = free_ports(1)[0]
    ok, said = connect(host="localhost", port=port).test_connection()
    assert not ok
    assert f"no connection to http://localhost:{port}; check the connection's host" in said
