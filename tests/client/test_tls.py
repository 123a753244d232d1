# SPDX-License-Identifier: Apache-2.0
"""Failures over TLS and through proxies, at each point of a request: only an unsent POST is sent again."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import trustme

from airflow_provider_studio import __version__
from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.delivery import Phase, RecordingAdapter, recorded
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioConnectionError
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.client.transport import Transport
from tests.tls_server import (
    NAME,
    Proxy,
    TlsConnection,
    TlsServer,
    never_shake_hands,
    refuse_handshake,
    reset,
)

REPORT = "0123456789ab"
ATTEMPTS = RetryPolicy().attempts


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that clients trust."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client_at(waits: list[float]) -> Callable[..., StudioClient]:
    def make(url: str, timeout_seconds: float = 30.0) -> StudioClient:
        credentials = Credentials("acme", "t", "hush-hush", url, TokenKind.WORKSPACE)
        limiter = RateLimiter.unlimited()
        return StudioClient(credentials, limiter=limiter, sleep=waits.append, timeout_seconds=timeout_seconds)

    return make


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        (TlsConnection.send_alert, "the TLS connection broke before the response, after the request was sent"),
        (TlsConnection.send_plain_text, "the TLS connection broke before the response, after the request was sent"),
        (TlsConnection.close_without_notify, "the connection broke before the response"),
        (TlsConnection.reset, "the connection broke before the response"),
        (lambda connection: connection.respond(b"{", announced=100) or connection.send_alert(), "cut short"),
        (
            lambda connection: connection.respond(b"{", announced=100) or connection.reset(),
            "cut short|broke before the response",  # a reset may overtake what was sent before it
        ),
    ],
    ids=["alert", "plain text", "no close_notify", "reset", "alert in the body", "reset in the body"],
)
def test_a_post_is_not_repeated_once_a_byte_of_it_was_sent(
    ca: trustme.CA,
    client_at: Callable[..., StudioClient],
    waits: list[float],
    misbehave: Callable[[TlsConnection], None],
    message: str,
) -> None:
    def break_off(connection: TlsConnection) -> None:
        misbehave(connection)
        raise OSError

    with TlsServer(ca, break_off) as server:
        with pytest.raises(StudioConnectionError, match=message) as caught:
            client_at(server.url).create_report_run(REPORT)
        assert len(server.requests) == 1
    assert caught.value.may_have_arrived
    assert waits == []
    assert "handshake" not in str(caught.value)
    assert "certificate" not in str(caught.value)


@pytest.mark.parametrize("break_off", [TlsConnection.send_alert, TlsConnection.send_plain_text, TlsConnection.reset])
def test_a_get_is_repeated_after_the_same(
    ca: trustme.CA, client_at: Callable[..., StudioClient], break_off: Callable[[TlsConnection], None]
) -> None:
    def once(connection: TlsConnection) -> None:
        if len(server.requests) > 1:
            connection.respond(b'{"token": "0123456789ab"}')
            return
        break_off(connection)
        raise OSError

    with TlsServer(ca, once) as server:
        assert client_at(server.url).get_report(REPORT).token == REPORT
        assert len(server.requests) == 2


def test_a_server_that_never_answers_may_have_got_the_request(
    ca: trustme.CA, client_at: Callable[..., StudioClient]
) -> None:
    with TlsServer(ca, lambda connection: never_shake_hands(connection.raw)) as server:
        with pytest.raises(StudioConnectionError, match="no response in time") as caught:
            client_at(server.url, timeout_seconds=0.3).create_report_run(REPORT)
        assert len(server.requests) == 1
    assert caught.value.may_have_arrived


@pytest.mark.parametrize(
    ("handshake", "message"),
    [
        (refuse_handshake, "the TLS handshake failed"),
        (lambda raw: raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "the TLS handshake failed"),
        (never_shake_hands, "no connection"),
        (lambda _raw: None, "no connection|the TLS handshake failed"),
        (lambda raw: (raw.recv(1), reset(raw)), "no connection"),
    ],
    ids=["alert", "plain text", "silence", "closed", "reset"],
)
def test_a_post_whose_handshake_fails_is_sent_again(
    ca: trustme.CA,
    client_at: Callable[..., StudioClient],
    waits: list[float],
    handshake: Callable[[socket.socket], None],
    message: str,
) -> None:
    with TlsServer(ca, handshake=handshake) as server:
        with pytest.raises(StudioConnectionError, match=message) as caught:
            client_at(server.url, timeout_seconds=0.2).create_report_run(REPORT)
        assert server.connections == ATTEMPTS
    assert not caught.value.may_have_arrived
    assert len(waits) == ATTEMPTS - 1


def test_a_certificate_that_is_not_trusted_is_said_and_nothing_was_sent(
    ca: trustme.CA, client_at: Callable[..., StudioClient]
) -> None:
    with TlsServer(trustme.CA()) as server:
        with pytest.raises(StudioConnectionError, match="handshake failed; check the host https://127") as caught:
            client_at(server.url).create_report_run(REPORT)
        assert server.requests == []
    assert not caught.value.may_have_arrived


def test_a_post_on_a_kept_connection_that_the_server_closes_is_not_repeated(
    ca: trustme.CA, client_at: Callable[..., StudioClient]
) -> None:
    def second_breaks(connection: TlsConnection) -> None:
        if len(server.requests) == 1:
            connection.respond(b'{"token": "0123456789ab"}')
            return
        connection.close_without_notify()
        raise OSError

    with TlsServer(ca, second_breaks) as server:
        client = client_at(server.url)
        client.get_report(REPORT)
        with pytest.raises(StudioConnectionError) as caught:
            client.create_report_run(REPORT)
        assert (server.connections, len(server.requests)) == (1, 2)
    assert caught.value.may_have_arrived


@pytest.mark.parametrize(
    "status", [b"407 Proxy Authentication Required", b"502 Bad Gateway", b"403 Forbidden"], ids=["407", "502", "403"]
)
def test_a_post_whose_tunnel_the_proxy_refuses_is_sent_again(
    ca: trustme.CA,
    client_at: Callable[..., StudioClient],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    status: bytes,
) -> None:
    with TlsServer(ca) as server, Proxy(server.port, status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(StudioConnectionError, match="through the proxy") as caught:
            client_at(f"https://{NAME}").create_report_run(REPORT)
        assert server.connections == 0
        assert len(proxy.tunnels) == ATTEMPTS
    assert not caught.value.may_have_arrived


def test_a_proxy_that_nobody_runs_is_said(
    client_at: Callable[..., StudioClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.system.live_airflow import free_ports

    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(StudioConnectionError, match="through the proxy") as caught:
        client_at(f"https://{NAME}").create_report_run(REPORT)
    assert not caught.value.may_have_arrived


@pytest.mark.parametrize("misbehave", [TlsConnection.send_alert, TlsConnection.send_plain_text, TlsConnection.reset])
def test_a_post_through_a_tunnel_is_not_repeated_once_it_was_sent(
    ca: trustme.CA,
    client_at: Callable[..., StudioClient],
    monkeypatch: pytest.MonkeyPatch,
    misbehave: Callable[[TlsConnection], None],
) -> None:
    def break_off(connection: TlsConnection) -> None:
        misbehave(connection)
        raise OSError

    with TlsServer(ca, break_off) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(StudioConnectionError) as caught:
            client_at(f"https://{NAME}").create_report_run(REPORT)
        assert len(server.requests) == 1
    assert caught.value.may_have_arrived


def test_a_handshake_that_fails_within_a_tunnel_lets_a_post_repeat(
    ca: trustme.CA, client_at: Callable[..., StudioClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(trustme.CA()) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(StudioConnectionError, match="handshake failed") as caught:
            client_at(f"https://{NAME}").create_report_run(REPORT)
        assert server.requests == []
    assert not caught.value.may_have_arrived


def test_proxies_of_the_environment_are_not_for_this_machine(
    ca: trustme.CA, client_at: Callable[..., StudioClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(ca, lambda connection: connection.respond(b'{"token": "0123456789ab"}')) as server:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert client_at(server.url).get_report(REPORT).token == REPORT


def test_without_tls_a_bundle_of_authorities_is_not_needed(
    client: StudioClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert client.verify().workspace == "acme"


def test_a_bundle_of_authorities_that_does_not_exist_is_named_before_any_request(
    client_at: Callable[..., StudioClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(StudioConfigurationError, match=r"REQUESTS_CA_BUNDLE .*none\.pem.*; set it to a file"):
        client_at("https://127.0.0.1:9").verify()


def test_proxies_of_the_environment_are_for_studio(
    ca: trustme.CA, client_at: Callable[..., StudioClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = b'{"token": "0123456789ab"}'
    with TlsServer(ca, lambda connection: connection.respond(answer)) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert client_at(f"https://{NAME}").get_report(REPORT).token == REPORT
        assert len(proxy.tunnels) == 1


@pytest.mark.parametrize(
    ("adapter", "handshake", "misbehave", "phase"),
    [
        (RecordingAdapter, refuse_handshake, None, Phase.CONNECTING),
        (RecordingAdapter, None, TlsConnection.close_without_notify, Phase.SENT),
        (RecordingAdapter, None, TlsConnection.respond, Phase.RESPONDING),
        (requests.adapters.HTTPAdapter, refuse_handshake, None, Phase.UNKNOWN),
    ],
)
def test_how_far_a_request_got_is_recorded(
    ca: trustme.CA,
    adapter: type[requests.adapters.HTTPAdapter],
    handshake: Callable[[socket.socket], None] | None,
    misbehave: Callable[[TlsConnection], None] | None,
    phase: Phase,
) -> None:
    with TlsServer(ca, misbehave, handshake=handshake) as server, requests.Session() as session:
        session.mount("https://", adapter())
        with recorded() as delivery, suppress(requests.ConnectionError):
            session.get(server.url)
        with suppress(requests.ConnectionError):
            session.get(server.url)
    assert delivery.phase is phase, "and a request that nobody records changes nothing"


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize(
    ("bearer", "authorization", "accept"),
    [
        (None, "Basic " + base64.b64encode("tökén:hush-hush".encode()).decode(), "application/hal+json"),
        ("signed", "Bearer signed", "application/json"),
    ],
    ids=["token and secret", "bearer token"],
)
def test_a_request_carries_credentials_format_and_user_agent(
    ca: trustme.CA, bearer: str | None, authorization: str, accept: str
) -> None:
    with TlsServer(ca) as server:
        credentials = Credentials("acme", "tökén", "hush-hush", server.url, TokenKind.WORKSPACE)
        transport = Transport(credentials, RateLimiter.unlimited(), bearer=bearer)
        transport.request("GET", "/api/verify")
        transport.close()
        (request,) = server.requests
    headers = headers_of(request)
    assert request.startswith(b"GET /api/verify HTTP/1.1\r\n")
    assert (headers["authorization"], headers["accept"]) == (authorization, accept)
    assert headers["user-agent"] == f"airflow-provider-studio/{__version__}"
