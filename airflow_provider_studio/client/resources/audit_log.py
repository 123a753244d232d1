# SPDX-License-Identifier: Apache-2.0
"""The audit log of a workspace, which is plain JSON with a cursor, unlike every other listing.

Source: the vendor's reference of audit logs; that only `Accept: application/json` works, from another client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Operation, require
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioResponseError
from airflow_provider_studio.client.pagination import MAX_PAGES


class AuditLog(StudioClientBase):
    """The method for the audit log."""

    def list_audit_log(
        self,
        start: datetime,
        end: datetime,
        *,
        action: str | None = None,
        username: str | None = None,
        entity_type: str | None = None,
        entity_id: str | None = None,
        entity_name: str | None = None,
        ip: str | None = None,
        event_source: str | None = None,
    ) -> Iterator[models.AuditEntry]:
        """List what people and tokens did in a period, for a Workspace token; one request per page.

        :param start: the beginning of the period, with a time zone.
        :param end: its end.
        :param action: only entries with this action; the others select by the actor, the entity and the source.
        :raises StudioCapabilityError: before any request, for a Member or personal token.
        :raises StudioConfigurationError: a time without a zone, or an end before the start.
        :raises StudioResponseError: a page without its rows, or pages without an end.
        """
        filters = {
            "action": action,
            "username": username,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "entity_name": entity_name,
            "ip": ip,
            "event_source": event_source,
        }
        query = {"start_timestamp": _utc("start", start), "end_timestamp": _utc("end", end)}
        query |= {name: value for name, value in filters.items() if value is not None}
        if end < start:
            raise StudioConfigurationError(f"end is {end}, which is before start, {start}.")
        require(self.token_kind, Operation.READ_AUDIT_LOG)
        return self._audit_entries(f"/api/{self.workspace}/audit_logs", query)

    def _audit_entries(self, path: str, query: Mapping[str, str]) -> Iterator[models.AuditEntry]:
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self._get(path, query if cursor is None else {**query, "next_token": cursor})
            for row in _rows(page, path):
                yield models.AuditEntry.parse(row, what=f"GET {path}, an entry")
            following = page.get("next_token") or None
            if following is None:
                return
            if not isinstance(following, str) or following == cursor:
                raise StudioResponseError(f"GET {path}: the response has no usable next_token, so its end is unknown.")
            cursor = following
        raise StudioResponseError(f"GET {path} did not end within {MAX_PAGES:,} pages.")


def _rows(page: Mapping[str, Any], path: str) -> list[Any]:
    rows = page.get("audit_logs")
    if not isinstance(rows, list):
        raise StudioResponseError(f"GET {path}: the response has no list audit_logs.")
    return rows


def _utc(parameter: str, time: datetime) -> str:
    if time.tzinfo is None:
        raise StudioConfigurationError(f"{parameter} is {time}, without a time zone; give one, such as UTC.")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
