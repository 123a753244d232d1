# SPDX-License-Identifier: Apache-2.0
"""Telemetry of a task: a span in Airflow's traces, fields beside its log lines, log groups.

Traces use the OpenTelemetry API, like Airflow's own: without an exporter they cost almost nothing. Spans and fields
hold neither a name or token of the workspace's content, nor a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_studio.client.transport import Sent, Spending

_SCOPE = "airflow_provider_studio"


@contextmanager
def span(name: str) -> Iterator[Any]:
    """Open a span under that of the task; of an error that is raised in it, it records the type.

    The error's text and traceback have paths with tokens of Reports, and Studio's messages.
    """
    from opentelemetry import trace

    tracer = trace.get_tracer(_SCOPE)
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_attribute("error.type", type(error).__qualname__)
            opened.set_status(trace.StatusCode.ERROR)
            raise


def note_send(sent: Sent) -> None:
    """Add an event for one send to the current span."""
    from opentelemetry import trace

    current = trace.get_current_span()
    if current.is_recording():
        attributes: dict[str, str | int | float] = {
            "http.request.method": sent.method,
            "studio.endpoint": sent.endpoint,
            "studio.throttle_wait_seconds": sent.seconds_waited,
        }
        if sent.status is not None:
            attributes["http.response.status_code"] = sent.status
        current.add_event("studio.request", attributes)


def spending_fields(usage: Spending) -> dict[str, int | float]:
    """Return the requests used as log fields; a span carries the same under `studio.…`."""
    return {
        "requests": usage.requests,
        "throttle_wait_seconds": round(usage.seconds_waited, 3),
        "rate_limited": usage.rate_limited,
    }


def note_spending(usage: Spending) -> None:
    """Set the requests used on the current span."""
    from opentelemetry import trace

    current = trace.get_current_span()
    for name, value in spending_fields(usage).items():
        current.set_attribute(f"studio.{name}", value)


@contextmanager
def log_group(log: Any, title: str) -> Iterator[None]:
    """Fold the lines that are logged within the context into a group, in Airflow's UI."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")


def log_folded(log: Any, title: str, lines: Iterable[str]) -> None:
    """Log lines in a group with a title."""
    with log_group(log, title):
        for line in lines:
            log.info("%s", line)
