# SPDX-License-Identifier: Apache-2.0
"""A request and its whole response, for code that examines the service itself instead of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_studio.client.responses import http_date


@dataclass(frozen=True)
class Exchange:
    """A request and the response to it, whatever its status.

    :param path: the path of the request, without the query.
    :param headers: those of the response; their names are found in any case.
    :param body: the JSON object of the response; None if it has none.
    :param received_at: when the response was complete, by our clock.
    """

    method: str
    path: str
    status: int
    received_at: datetime
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is a success and the body a JSON object."""
        return 200 <= self.status < 300 and self.body is not None

    @property
    def date(self) -> datetime | None:
        """The time in the header `Date`, by Studio's clock; None without one."""
        return http_date(self.headers.get("date", ""))
