# SPDX-License-Identifier: Apache-2.0
"""Unusable credentials are refused with the field, the value and how to fix it."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_studio.client.auth import (
    Credentials,
    Operation,
    TokenKind,
    kind_of,
    require,
)
from airflow_provider_studio.client.errors import StudioCapabilityError, StudioConfigurationError
from airflow_provider_studio.client.host import is_loopback
from airflow_provider_studio.client.identifiers import report_token


@pytest.mark.parametrize("name", ["workspace", "token", "secret"])
def test_an_empty_field_is_named(name: str) -> None:
    given = {"workspace": "acme", "token": "t", "secret": "s", name: ""}
    with pytest.raises(StudioConfigurationError, match=f"^{name} is empty; set it to "):
        Credentials(**given)


@pytest.mark.parametrize("workspace", ["ac me", "../x", "a/b", "acme?"])
def test_a_workspace_that_is_none(workspace: str) -> None:
    with pytest.raises(StudioConfigurationError, match="workspace is"):
        Credentials(workspace, "t", "s")


@pytest.mark.parametrize(
    ("host", "match"),
    [
        ("http://app.mode.com", "Use https://app.mode.com"),
        ("ftp://app.mode.com", "must look like"),
        ("https://app.mode.com/api", "without a path"),
        ("https://user:hush@app.mode.com", "a URL with credentials in it"),
        ("https://", "must look like"),
    ],
)
def test_a_host_that_cannot_be_used(host: str, match: str) -> None:
    with pytest.raises(StudioConfigurationError, match=match) as caught:
        Credentials("acme", "t", "s", host)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("host", ["http://localhost:8181", "http://127.0.0.1:1", "http://[::1]:81", "https://x.eu"])
def test_plain_http_is_for_this_machine_alone(host: str) -> None:
    assert Credentials("acme", "t", "s", host).host == host


def test_loopback() -> None:
    assert is_loopback("127.8.8.8")
    assert not is_loopback("localhost.example.com")


def test_the_secret_is_never_shown() -> None:
    assert "hush" not in repr(Credentials("acme", "t", "hush"))


def test_one_budget_for_a_token_whatever_the_secret_and_the_workspace() -> None:
    key = Credentials("acme", "t", "s").budget_key
    assert key == Credentials("other", "t", "s2", "https://app.mode.com/").budget_key
    assert key != Credentials("acme", "u", "s").budget_key
    assert key != "t"
    assert len(key) == 64


def test_a_personal_token_warns_that_its_support_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Credentials("acme", "t", "s", kind=TokenKind.WORKSPACE)
    assert caplog.text == ""
    Credentials("acme", "t", "s", kind=TokenKind.PERSONAL)
    assert "2025-02-28" in caplog.text


@pytest.mark.parametrize(
    ("operation", "permitted"),
    [
        (Operation.CLONE_REPORT_RUN, {TokenKind.PERSONAL}),
        (Operation.CREATE_INVITE, {TokenKind.PERSONAL}),
        (Operation.READ_AUDIT_LOG, {TokenKind.WORKSPACE}),
    ],
)
@pytest.mark.parametrize("kind", list(TokenKind))
def test_refusals_name_the_kind_and_the_way_out(
    kind: TokenKind, operation: Operation, permitted: set[TokenKind]
) -> None:
    if kind in permitted:
        require(kind, operation)
        return
    with pytest.raises(StudioCapabilityError) as caught:
        require(kind, operation)
    assert str(caught.value).startswith(f"A {kind.value.capitalize()} token may not {operation.value}. ")
    assert str(caught.value).endswith("instead.")


@pytest.mark.parametrize(
    ("scope", "link", "kind"),
    [
        ("member", None, TokenKind.MEMBER),
        ("workspace", None, TokenKind.WORKSPACE),
        ("workspace_admin", None, TokenKind.WORKSPACE),
        (None, "/api/acme/api_keys/abc", TokenKind.MEMBER),
        (None, "/api/acme", TokenKind.PERSONAL),
        (None, None, TokenKind.PERSONAL),
    ],
)
def test_the_kind_is_read_from_verify(scope: str | None, link: str | None, kind: TokenKind) -> None:
    assert kind_of(scope, link) is kind


@pytest.mark.parametrize(
    "named",
    ["0a1b2c3d4e5f", "https://app.mode.com/acme/reports/0a1b2c3d4e5f", "studio://acme/reports/0a1b2c3d4e5f"]
    + [f"https://app.mode.com/acme/reports/0a1b2c3d4e5f{rest}" for rest in ("/", "/runs/ffff", "?tab=1", "#x")],
)
def test_a_report_is_named_by_its_token_or_its_page(named: str) -> None:
    assert report_token(named) == "0a1b2c3d4e5f"


@pytest.mark.parametrize(
    "named",
    [
        "https://app.mode.com/other/reports/0a1b2c3d4e5f",
        "https://app.mode.com/editor/other/reports/0a1b2c3d4e5f/queries/abc",
        "https://app.mode.com/api/other/reports/0a1b2c3d4e5f",
        "app.mode.com/other/reports/0a1b2c3d4e5f",
        "studio://other/reports/0a1b2c3d4e5f",
    ],
)
def test_a_report_of_another_workspace_is_refused_in_each_form(named: str) -> None:
    with pytest.raises(StudioConfigurationError, match="of the workspace 'other', but the connection opens 'acme'"):
        report_token(named, "acme")
    assert report_token(named.replace("other", "acme"), "acme") == "0a1b2c3d4e5f"
    assert report_token(named.replace("other", "ACME"), "acme") == "0a1b2c3d4e5f"


def test_an_address_without_a_workspace_is_accepted() -> None:
    assert report_token("https://app.mode.com/reports/0a1b2c3d4e5f", "acme") == "0a1b2c3d4e5f"


@pytest.mark.parametrize("named", ["", "https://app.mode.com/acme", "a b", "reports/"])
def test_what_names_no_report(named: str) -> None:
    with pytest.raises(StudioConfigurationError, match="report is"):
        report_token(named)
