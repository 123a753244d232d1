# SPDX-License-Identifier: Apache-2.0
"""Airflow metrics of the token's budget.

All have the tags `method`, `endpoint` (a path without names and tokens) and `status` (such as `2xx`; `none` without a
response).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Stats

from airflow_provider_studio.telemetry import note_send

if TYPE_CHECKING:
    from airflow_provider_studio.client.transport import Sent

METRICS = {
    "studio.requests": "requests sent, retries included (a counter)",
    "studio.throttle_wait": "how long a request waited for its permit (a timer)",
    "studio.rate_limited": "requests that got a 429 (a counter)",
}


def count(sent: Sent) -> None:
    """Count one send, and add it to the task's span."""
    note_send(sent)
    status = "none" if sent.status is None else f"{sent.status // 100}xx"
    tags = {"method": sent.method, "endpoint": sent.endpoint, "status": status}
    Stats.incr("studio.requests", tags=tags)
    if sent.seconds_waited:
        Stats.timing("studio.throttle_wait", timedelta(seconds=sent.seconds_waited), tags=tags)
    if sent.status == 429:
        Stats.incr("studio.rate_limited", tags=tags)
