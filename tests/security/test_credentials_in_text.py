# SPDX-License-Identifier: Apache-2.0
"""Credentials in text: a password in a setting, a signature in a response or a Variable's value is never shown."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from upath import UPath

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.client.ratelimit import Budget, RateLimiter
from airflow_provider_studio.client.ratelimit.urls import store_from_url
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.stop_switch import stop_reason
from tests.connections import connection_of

CANARY = "hunter2"
SPECIAL = "/?#@[]"


@pytest.mark.parametrize(
    "url",
    [
        *[f"redis://:12{char}{CANARY}@127.0.0.1:1/0" for char in SPECIAL],
        *[f"rediss://user:{CANARY}{char}34@redis.example.com:6379/0" for char in SPECIAL],
        f"redis://{CANARY}",
        f"redis://user:{CANARY}",
        f"redis://:{CANARY}@",
        f"redis://127.0.0.1:1/{CANARY}",
        f"redis://:{CANARY}@127.0.0.1:port/0",
        f"redis://:{CANARY}@127.0.0.1:99999/0",
        f"redis://127.0.0.1:1/0?health_check_interval={CANARY}",
        f"redis://:{CANARY} @127.0.0.1:1/0",
        f"sqlite://user:{CANARY}@host/path.db",
        f"postgresql://user:{CANARY}@host/db",
        f"{CANARY}://host",
        CANARY,
    ],
)
def test_a_password_in_the_budgets_url_is_not_shown_in_part_either(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    try:
        RateLimiter(store_from_url(url, local=tmp_path / "ledger.db"), "key", Budget()).acquire()
    except StudioConfigurationError as error:
        shown = f"{error}{error.__cause__ or ''}"
        assert "rate_limit_url" in shown, "the message names the option"
    assert CANARY not in shown + caplog.text
    assert "12" not in shown.replace("127", "") + caplog.text.replace("127", "").partition("fallback")[0]


@pytest.mark.parametrize("char", SPECIAL)
def test_an_unencoded_character_in_a_password_connects_to_no_other_host(char: str, tmp_path: Path) -> None:
    with pytest.raises(StudioConfigurationError, match="Percent-encode"):
        store_from_url(f"redis://:12{char}34@redis.example.com:6379/0", local=tmp_path / "ledger.db")


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.com",
        "redis://redis.example.com:6379/3?socket_timeout=1",
        "rediss://user:p%40ss%2Fword@[::1]:6379/",
        "redis://:p*s:s!w%23rd@10.0.0.1/0",
    ],
)
def test_an_encoded_password_is_accepted(url: str, tmp_path: Path) -> None:
    store_from_url(url, local=tmp_path / "ledger.db")


SIGNED = {
    "web_preview_image": f"https://previews.example.com/x?signature={CANARY}",
    "flamingo_signature": CANARY,
    "pdf_export_presigned_url": f"https://bucket.example.com/x?{CANARY}",
    "download": f"https://bucket.s3.amazonaws.com/x.csv?X-Amz-Credential=AK&X-Amz-Signature={CANARY}#page",
    "_links": {"content": {"href": f"/api/acme/x?a=1&access_token={CANARY}"}},
    "embeds": [{"src": f"https://storage.googleapis.com/x?GoogleAccessId=a&Signature={CANARY}"}],
    "azure": f"see https://x.blob.core.windows.net/y?sv=2024&sig={CANARY} for it",
    "api_key": CANARY,
    "AccessKey": CANARY,
    "discovery_access_secret": CANARY,
    "bearer_token": CANARY,
}


def test_no_value_that_grants_access_stays_in_a_journal(storage: UPath) -> None:
    journal = Journal(storage, "acme", "0123456789ab", actor={}, sha256="0" * 64)
    kept = {"token": "0123456789ab", "name": "Sales?", "web": "https://app.mode.com/acme?page=2", "runs_count": 3}
    journal.write("archive_report-0123456789ab", Event.INTENT, before=SIGNED, backup={"report": SIGNED | kept})
    (path,) = journal.folder.iterdir()
    written = path.read_text(encoding="utf-8")
    assert CANARY not in written
    backup = json.loads(written)["backup"]["report"]
    assert {name: backup.get(name) for name in kept} == kept, "the rest of a backup is complete"


def test_the_stop_variables_value_is_in_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", CANARY)
    reason = stop_reason("studio_stop")
    assert reason is not None
    assert CANARY not in reason


class ReadsMissingReport(StudioOperator):
    """Reads a Report that does not exist."""

    def run_with_studio(self, context: Any) -> Any:
        return self.hook.client.get_report("deadbeef0000")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def test_a_span_has_neither_a_reports_token_nor_studios_message(
    emulator: StudioEmulator, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    with pytest.raises(Exception, match="deadbeef0000") as raised:
        ReadsMissingReport(task_id="t").execute({})
    assert isinstance(raised.value.__cause__ or raised.value, StudioError)
    (span,) = spans.get_finished_spans()
    collected = span.to_json()
    assert "deadbeef0000" not in collected
    assert "not found" not in collected
    assert span.status.is_ok is False
    assert "Error" in str((span.attributes or {})["error.type"])
