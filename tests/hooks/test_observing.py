# SPDX-License-Identifier: Apache-2.0
"""Traces and log fields of a real task, as their collectors receive them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.telemetry import log_group
from tests.connections import connection_of


class ReadsReport(StudioOperator):
    """Reads one Report."""

    def __init__(self, *, report: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def run_with_studio(self, context: Any) -> str | None:
        return self.hook.client.get_report(self.report).name


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


@pytest.fixture
def connected(emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StudioEmulator:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    return emulator


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (one,) = spans.get_finished_spans()
    return one


def test_a_tasks_work_is_a_span_with_its_sends_and_what_they_cost(
    connected: StudioEmulator, spans: InMemorySpanExporter
) -> None:
    report = connected.control.add_report(name="Revenue")
    assert ReadsReport(task_id="read", report=report).execute({}) == "Revenue"  # type: ignore[typeddict-item]
    span = only(spans)
    assert span.name == "studio.ReadsReport"
    assert span.attributes is not None
    assert (span.attributes["studio.requests"], span.attributes["studio.rate_limited"]) == (1, 0)
    (send,) = span.events
    assert send.attributes is not None
    assert dict(send.attributes) | {"studio.throttle_wait_seconds": 0.0} == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "studio.endpoint": "reports",
        "studio.throttle_wait_seconds": 0.0,
    }
    assert report not in span.to_json()
    assert "emulator-secret" not in span.to_json()


def test_an_error_is_on_the_span(connected: StudioEmulator, spans: InMemorySpanExporter) -> None:
    with pytest.raises(Exception, match="404"):
        ReadsReport(task_id="read", report="0123456789ab").execute({})  # type: ignore[typeddict-item]
    span = only(spans)
    assert not span.status.is_ok
    assert [event.name for event in span.events] == ["studio.request"]
    assert (span.attributes or {})["error.type"] == "StudioNotFoundError"


def test_the_requests_used_are_fields_beside_the_log_line(connected: StudioEmulator) -> None:
    hook = StudioHook()
    hook.client._transport._limiter = RateLimiter.unlimited()
    hook.client.verify()
    with capture_logs() as lines:
        hook.log_spending()
    (line,) = [one for one in lines if "Used" in one["event"]]
    assert (line["requests"], line["rate_limited"], line["throttle_wait_seconds"]) == (1, 0, 0.0)


def said(lines: Any) -> list[str]:
    """Return the texts of the log."""
    return [line["event"] % line.get("positional_args", ()) for line in lines]


def test_a_log_group_ends_even_where_the_work_fails() -> None:
    log = StudioHook().log
    with capture_logs() as lines, pytest.raises(RuntimeError), log_group(log, "Crawl"):
        raise RuntimeError
    assert said(lines) == ["::group::Crawl", "::endgroup::"]


def test_an_inventory_folds_what_it_could_not_read_and_says_how_much() -> None:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    context: Any = {"outlet_events": OutletEventAccessors()}
    summary = {"workspace": "acme", "snapshot": "s", "path": "p", "taken_at": datetime(2026, 1, 1, tzinfo=UTC)}
    unread = {"unreadable_collections": ["0a1b2c3d4e5f", "1b2c3d4e5f60"], "unreadable_datasets": ["2c3d4e5f6071"]}
    inventory = StudioInventoryOperator(task_id="inventory", outlets=[])
    with capture_logs() as lines:
        inventory.publish(context, InventorySummary(**summary))  # type: ignore[arg-type]
        inventory.publish(context, InventorySummary(**summary, **unread))  # type: ignore[arg-type]
    assert said(lines) == [
        "::group::3 could not be read; their content is unknown",
        "Collection 0a1b2c3d4e5f",
        "Collection 1b2c3d4e5f60",
        "the datasets of Collection 2c3d4e5f6071",
        "::endgroup::",
    ]
