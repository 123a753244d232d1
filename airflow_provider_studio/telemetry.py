# SPDX-License-Identifier: Apache-2.0
"""What a task shows of itself while it works: a span in Airflow's traces, fields beside its log lines, log groups.

Traces go through the OpenTelemetry API, as Airflow's own do: without an exporter they cost next to nothing. Neither a
span nor a field ever holds a name or token of the workspace's content, nor a secret.
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
    """Open a span under the task's own; an error that leaves it is recorded on it."""
    from opentelemetry import trace

    with trace.get_tracer(_SCOPE).start_as_current_span(name) as opened:
        yield opened


def note_send(sent: Sent) -> None:
    """Add an event for one send to the present span."""
    from opentelemetry import trace

    present = trace.get_current_span()
    if present.is_recording():
        attributes: dict[str, str | int | float] = {
            "http.request.method": sent.method,
            "studio.endpoint": sent.endpoint,
            "studio.throttle_wait_seconds": sent.seconds_waited,
        }
        if sent.status is not None:
            attributes["http.response.status_code"] = sent.status
        present.add_event("studio.request", attributes)


def spending_fields(spent: Spending) -> dict[str, int | float]:
    """Return what was spent of the budget as log fields; a span carries the same under `studio.…`."""
    return {
        "requests": spent.requests,
        "throttle_wait_seconds": round(spent.seconds_waited, 3),
        "rate_limited": spent.rate_limited,
    }


def note_spending(spent: Spending) -> None:
    """Set on the present span what was spent of the budget."""
    from opentelemetry import trace

    present = trace.get_current_span()
    for name, value in spending_fields(spent).items():
        present.set_attribute(f"studio.{name}", value)


@contextmanager
def log_group(log: Any, title: str) -> Iterator[None]:
    """Fold the lines that are logged within into one that opens on a click, in Airflow's UI."""
    log.info("::group::%s", title)
    try:
        yield
    finally:
        log.info("::endgroup::")


def log_folded(log: Any, title: str, lines: Iterable[str]) -> None:
    """Log lines, folded under their title."""
    with log_group(log, title):
        for line in lines:
            log.info("%s", line)
