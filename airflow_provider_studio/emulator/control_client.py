# SPDX-License-Identifier: Apache-2.0
"""A client of the control endpoints, for tests and the demo; works from any process."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests


class EmulatorControl:
    """Looks at an emulator's truth and changes it.

    :param url: the emulator's address.
    :param ca_file: the certificate of its authority, where it serves HTTPS.
    """

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._url = f"{url}/_emulator"
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_file is not None:
            self._session.verify = str(ca_file)

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, f"{self._url}/{path}", timeout=60, **options)
        if answer.status_code >= 400:
            raise ValueError(f"The emulator refused {method} {path}: {answer.text}")
        return answer

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        return dict(self._send(method, path, json=body, params=query).json())

    def clock(self) -> datetime:
        """The emulated time."""
        return datetime.fromisoformat(self._ask("GET", "clock")["now"])

    def set_clock(self, now: datetime) -> None:
        """Move to a time."""
        self._ask("POST", "clock", {"now": now.isoformat()})

    def set_speed(self, speed: float) -> None:
        """Let so many emulated seconds pass in a real one; 0 stands still and is moved by hand."""
        self._ask("POST", "clock", {"speed": speed})

    def advance(self, by: timedelta) -> None:
        """Move by a duration."""
        self._ask("POST", "clock", {"advance_seconds": by.total_seconds()})

    def requests_summary(self, after: int = 0) -> dict[str, Any]:
        """`{"total", "by_status": {"200": n}, "requests": [{"n", "at", "method", "path", "status", "token"}]}`.

        Status 0 is a request whose answer was dropped.
        """
        return self._ask("GET", "requests", after=after)

    def requests_spent(self) -> int:
        """How many requests were sent since the log was cleared."""
        return int(self.requests_summary(after=10**12)["total"])

    def clear_requests(self) -> None:
        """Start the request log anew."""
        self._ask("DELETE", "requests")

    def add_fault(self, kind: str, **settings: Any) -> None:
        """Add a fault; see `emulator.faults.Fault` for its settings."""
        self._ask("POST", "faults", {"kind": kind, **settings})

    def clear_faults(self) -> None:
        """End every fault."""
        self._ask("DELETE", "faults")

    def set_rate_limit(self, **settings: Any) -> None:
        """Configure the limit; counting starts anew. See `emulator.limits.Limits.configure` for its settings."""
        self._ask("POST", "rate_limit", settings)

    def set_quirks(self, **changes: Any) -> None:
        """Choose how the service behaves where nobody knows; see `emulator.quirks.Quirks`."""
        self._ask("POST", "quirks", changes)

    def set_token(self, token: str, standing: str) -> None:
        """Let a token be `active`, `expired` or `revoked`."""
        self._ask("POST", f"tokens/{token}", {"standing": standing})

    def reset(self) -> None:
        """Begin again: workspace as seeded, clock where it began; no faults, log or spent budget, tokens active."""
        self._ask("POST", "reset")

    def save(self) -> bytes:
        """The workspace and its time as JSON, for `restore` here or in another emulator. No secret is in it."""
        return self._send("GET", "snapshot").content

    def restore(self, saved: bytes) -> None:
        """Take a saved workspace for this one."""
        self._send("PUT", "snapshot", data=saved)

    def state(self) -> dict[str, Any]:
        """Everything in the workspace, by token: `reports`, `schedules`, `subscriptions`, `collections`."""
        return self._ask("GET", "state")

    def add_report(self, **fields: Any) -> str:
        """Add a Report and return its token; fields as in `change_report`."""
        return str(self._ask("POST", "reports", fields)["token"])

    def change_report(self, token: str, **fields: Any) -> None:
        """Change a Report behind the API's back: any field of `emulator.things.Report`, and `collection`.

        `collection=None` puts it into none, where no listing of a Collection tells of it.
        """
        self._ask("PATCH", f"reports/{token}", fields)

    def remove_report(self, token: str) -> None:
        """Delete a Report, as someone else might."""
        self._ask("DELETE", f"reports/{token}")

    def remove_run(self, report: str, run: str) -> None:
        """Delete a run that was started over the API, as a purge might."""
        self._ask("DELETE", f"reports/{report}/runs/{run}")

    def view(self, token: str, count: int = 1) -> None:
        """Let people view a Report so often, now."""
        self._ask("POST", f"reports/{token}/views", {"count": count})

    def views(self, token: str, since: datetime) -> list[tuple[datetime, str]]:
        """When a Report was viewed by habit since then, and by whom."""
        rows = self._ask("GET", f"reports/{token}/views", since=since.isoformat())["views"]
        return [(datetime.fromisoformat(row["at"]), row["viewer"]) for row in rows]

    def add_collection(self, name: str, **fields: Any) -> str:
        """Add a Collection and return its token: `space_type`, `description`, `restricted`, `owner`."""
        return str(self._ask("POST", "collections", {"name": name, **fields})["token"])

    def add_schedule(self, report: str, **values: Any) -> str:
        """Give a Report a schedule and return its token: `cron` (daily at 6:00 UTC), `params`, `name`."""
        return str(self._ask("POST", f"reports/{report}/schedules", values)["token"])

    def remove_collection(self, token: str) -> None:
        """Delete a Collection with its Reports."""
        self._ask("DELETE", f"collections/{token}")

    def forbid_collection(self, token: str) -> None:
        """Let every request for a Collection's contents be answered 403."""
        self._ask("POST", f"collections/{token}/forbid")
