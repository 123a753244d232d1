# SPDX-License-Identifier: Apache-2.0
"""A connection in each of its formats, the errors of its fields, and its form."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any
from urllib.parse import quote

import fsspec
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.io import attach

from airflow_provider_studio import settings
from airflow_provider_studio.client.auth import TokenKind
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.get_provider_info import CONNECTION_FIELDS
from airflow_provider_studio.hooks.studio import StudioHook

SECRET = "s3cret/with?odd&characters"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that defines the connection `studio_test`, as JSON by default."""

    def define(text: str | None = None, **fields: Any) -> StudioHook:
        standard = {"conn_type": "studio", "login": "a-token", "password": SECRET, "schema": "acme"}
        value = text if text is not None else json.dumps({**standard, **fields})
        monkeypatch.setenv("AIRFLOW_CONN_STUDIO_TEST", value)
        return StudioHook("studio_test")

    return define


def of_emulator(emulator: StudioEmulator, kind: str = "workspace") -> dict[str, Any]:
    token, secret = emulator.credentials(kind)
    return {"host": emulator.url, "login": token, "password": secret}


def test_there_is_no_such_connection() -> None:
    with pytest.raises(StudioConfigurationError, match=r"no connection 'nowhere'\. Create one of the type 'studio'"):
        _ = StudioHook("nowhere").client


@pytest.mark.parametrize("form", ["json", "uri", "uri with scheme in the query"])
def test_connections_by_json_and_uri_alike(connect: Any, emulator: StudioEmulator, form: str) -> None:
    fields = of_emulator(emulator)
    address = emulator.url.removeprefix("http://")
    extra = {"credential_kind": "workspace", "timeout_seconds": "12.5", "rate_limit_requests": "20"}
    if form == "json":
        hook = connect(**fields, extra=extra)
    else:
        query = "&".join(f"{name}={quote(value)}" for name, value in extra.items())
        hook = connect(f"studio://{fields['login']}:{quote(fields['password'])}@{address}/acme?{query}")
    assert hook.client.verify().workspace == "acme"
    assert hook.client.token_kind is TokenKind.WORKSPACE
    assert hook.get_conn() is hook.client
    assert hook.client._transport._timeout == (10.0, 12.5)


def test_a_secret_with_odd_characters_survives_a_uri(connect: Any) -> None:
    hook = connect(f"studio://a-token:{quote(SECRET, safe='')}@/acme")
    auth = hook.client._transport._session.auth
    assert (auth.username, auth.password) == (b"a-token", SECRET.encode())
    assert hook.client._transport._host == "https://app.mode.com"


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({}, "https://app.mode.com"),
        ({"host": "https://eu.mode.com/"}, "https://eu.mode.com"),
        ({"host": "eu.mode.com"}, "https://eu.mode.com"),
        ({"host": "127.0.0.1", "port": 8181}, "http://127.0.0.1:8181"),
        ({"host": "localhost:8181"}, "http://localhost:8181"),
    ],
)
def test_the_host_may_be_short(connect: Any, fields: dict[str, Any], host: str) -> None:
    assert connect(**fields).client._transport._host == host


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"login": ""}, "token is empty"),
        ({"login": None}, "token is empty"),
        ({"password": ""}, "secret is empty"),
        ({"schema": ""}, "workspace is empty"),
        ({"schema": "ac me"}, "workspace is 'ac me'"),
        ({"host": "http://eu.mode.com"}, "host is 'http://eu.mode.com'; plain http would send the secret in the clear"),
        (
            {"extra": {"credential_kind": "admin"}},
            "credential_kind is 'admin'; it must be one of workspace, member, pers",
        ),
        ({"extra": {"token_kind": "x"}}, "credential_kind is 'x'; it must be one of workspace, member, personal"),
        ({"extra": {"timeout_seconds": 0}}, "timeout_seconds is 0; it must be a number above 0"),
        ({"extra": {"timeout_seconds": "soon"}}, "timeout_seconds is 'soon'"),
        ({"extra": {"timeout_seconds": [1]}}, r"timeout_seconds is \[1\]"),
        ({"extra": {"rate_limit_requests": -4}}, "rate_limit_requests is -4"),
        ({"extra": {"rate_limit_requests": 2.5}}, "rate_limit_requests is 2.5; it must be a whole number"),
        ({"extra": {"rate_limit_seconds": "nan"}}, "rate_limit_seconds is 'nan'"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_connection(
    connect: Any, fields: dict[str, Any], match: str
) -> None:
    with pytest.raises(StudioConfigurationError, match=f"Connection 'studio_test': {match}") as caught:
        _ = connect(**fields).client
    assert SECRET not in str(caught.value)


def test_empty_extras_of_the_form_mean_the_defaults(connect: Any) -> None:
    client = connect(extra=dict.fromkeys(CONNECTION_FIELDS, "")).client
    assert client._transport._timeout == (10.0, 30.0)
    budget = client._transport._limiter._budget
    assert (budget.limit, budget.interval_seconds) == (40, 10.0)


def test_the_budget_can_be_overridden(connect: Any) -> None:
    budget = connect(extra={"rate_limit_requests": 10, "rate_limit_seconds": 2}).client._transport._limiter._budget
    assert (budget.limit, budget.interval_seconds) == (10, 2.0)


@pytest.mark.parametrize("kind", ["workspace", "member", "personal"])
def test_a_test_of_the_connection_says_who_answered(connect: Any, emulator: StudioEmulator, kind: str) -> None:
    hook = connect(**of_emulator(emulator, kind))
    assert hook.test_connection() == (True, f"Connected to the workspace 'acme' with a {kind.capitalize()} token.")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong"}, "Check the connection's token and secret"),
        ({"schema": "acne"}, "workspace is 'acne', but this token opens 'acme'"),
        ({"login": ""}, "token is empty"),
    ],
)
def test_a_test_of_the_connection_says_what_to_fix(
    connect: Any, emulator: StudioEmulator, fields: dict[str, Any], message: str
) -> None:
    ok, said = connect(**{**of_emulator(emulator), **fields}).test_connection()
    assert not ok
    assert message in said


def test_the_secret_is_masked_before_anything_can_be_logged(
    connect: Any, emulator: StudioEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk.log import redact

    hook = connect(**of_emulator(emulator))
    with caplog.at_level(logging.DEBUG):
        hook.test_connection()
    secret = emulator.credentials()[1]
    assert redact({"text": f"the secret is {secret}"}) == {"text": "the secret is ***"}
    assert secret not in caplog.text


def test_the_kind_of_the_token_is_no_secret(connect: Any) -> None:
    """The word `workspace` is in every path in storage, which a task's log names."""
    from airflow.sdk.log import redact

    hook = connect(host="https://app.mode.com", login="a", password=SECRET, extra={"credential_kind": "workspace"})
    assert hook.limits is not None
    assert hook.client.token_kind is TokenKind.WORKSPACE
    assert redact({"text": "plans/workspace=acme/x"}) == {"text": "plans/workspace=acme/x"}


def test_a_trigger_gets_its_client_without_blocking_the_loop(connect: Any, emulator: StudioEmulator) -> None:
    hook = connect(**of_emulator(emulator))
    loop_thread = threading.get_ident()

    async def workspace() -> str:
        client = await hook.aget_client()
        assert client is await hook.aget_client()
        return (await asyncio.to_thread(client.verify)).workspace

    assert asyncio.run(workspace()) == "acme"
    assert loop_thread == threading.get_ident()


def test_a_trigger_opens_its_storage_before_a_thread_of_its_own_writes_there(
    connect: Any, emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, opened, open_storage = connect(**of_emulator(emulator)), [], settings.storage
    monkeypatch.setattr(settings, "storage", lambda: opened.append(threading.get_ident()) or open_storage())
    asyncio.run(hook.aget_client())
    assert len(opened) == 1


def test_a_trigger_whose_storage_cannot_be_opened_still_polls_and_records_nothing(
    connect: Any, emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", "nowhere://bucket/studio")
    hook = connect(**of_emulator(emulator))
    assert asyncio.run(hook.aget_client()).verify().workspace == "acme"
    hook.log_spending()
    assert capsys.readouterr().out.count("are not recorded: Storage at nowhere://bucket/studio cannot be opened") == 1


def test_hooks_of_one_token_share_one_budget(connect: Any, emulator: StudioEmulator) -> None:
    first, second = connect(**of_emulator(emulator)), connect(**of_emulator(emulator))
    limiters = [hook.client._transport._limiter for hook in (first, second)]
    assert limiters[0]._key == limiters[1]._key
    for _ in range(limiters[0]._budget.limit):
        limiters[0].acquire()
    number, wait = limiters[1]._store.reserve(limiters[1]._key, limiters[1]._budget, Priority.CRAWL)
    limiters[1]._store.release(limiters[1]._key, number)
    assert wait > 1.0


def test_the_storage_and_the_ledger_are_under_airflows_home_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/srv/airflow")
    assert str(settings.storage()) == "file:///srv/airflow/studio"
    assert settings.rate_limit_url() == "sqlite:////srv/airflow/studio/ratelimit.db"
    attach("memory", fs=fsspec.filesystem("memory"))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", "memory://bucket/x")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    assert settings.storage().protocol == "memory"
    assert settings.rate_limit_url() == "memory://"
    # Airflow 3.1's object storage spells the root of such a path with a slash more.
    assert str(settings.in_storage("exports/a.csv")).replace(":///", "://") == "memory://bucket/x/exports/a.csv"
    assert str(settings.in_storage("/tmp/a.csv")).endswith("/tmp/a.csv")
    assert settings.in_storage("file:///tmp/a.csv").protocol == "file"


def test_a_storage_that_nothing_installed_opens_is_refused_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", "nowhere://bucket/studio")
    with pytest.raises(StudioConfigurationError, match=r"nowhere://bucket/studio .* Install the Airflow provider of"):
        settings.storage()


def test_on_airflow_3_1_the_form_comes_from_the_same_constants() -> None:
    assert set(StudioHook.get_connection_form_widgets()) == set(CONNECTION_FIELDS)
    behaviour = StudioHook.get_ui_field_behaviour()
    assert behaviour["hidden_fields"] == ["port"]
    assert behaviour["relabeling"]["password"] == "Secret"


def test_a_task_sends_one_request_whose_result_may_be_an_xcom(connect: Any, emulator: StudioEmulator) -> None:
    hook, report = connect(**of_emulator(emulator)), emulator.control.add_report(name="Orders")
    found = hook.run("GET", f"reports/{report}")
    assert found["name"] == "Orders"
    assert "web_preview_image" in hook.client.request("GET", f"reports/{report}")
    assert "web_preview_image" not in found, "a presigned URL grants access by itself"
    assert hook.run("PATCH", f"reports/{report}", json={"report": {"name": "Sales"}})["name"] == "Sales"


def test_a_request_of_a_task_that_no_retry_helps_fails_it_at_once(connect: Any, emulator: StudioEmulator) -> None:
    hook = connect(**of_emulator(emulator), extra={"read_only_requests": True})
    with pytest.raises(AirflowFailException, match="read_only_requests or approval_required is set"):
        hook.run("DELETE", "reports/0a1b2c3d4e5f")
    with pytest.raises(AirflowFailException, match="must be below the workspace"):
        hook.run("GET", "/api/other/reports")
    assert emulator.control.requests_sent() == 0
