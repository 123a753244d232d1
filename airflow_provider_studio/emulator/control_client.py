# SPDX-License-Identifier: Apache-2.0
"""A client of the control endpoints, for tests and the demo; usable from any process."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests


class EmulatorControl:
    """Reads and changes an emulator's state.

    :param url: the emulator's URL.
    :param ca_file: the certificate of its authority, if it serves HTTPS.
    """

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._url = f"{url}/_emulator"
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_file is not None:
            self._session.verify = str(ca_file)

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        response = self._session.request(method, f"{self._url}/{path}", timeout=60, **options)
        if response.status_code >= 400:
            raise ValueError(f"The emulator refused {method} {path}: {response.text}")
        return response

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        return dict(self._send(method, path, json=body, params=query).json())

    def clock(self) -> datetime:
        """Return the emulated time."""
        return datetime.fromisoformat(self._json("GET", "clock")["now"])

    def set_clock(self, now: datetime) -> None:
        """Set the emulated time."""
        self._json("POST", "clock", {"now": now.isoformat()})

    def set_speed(self, speed: float) -> None:
        """Set how many emulated seconds pass per real second; 0 stops the clock, which can still be set."""
        self._json("POST", "clock", {"speed": speed})

    def advance(self, by: timedelta) -> None:
        """Advance the emulated time by a duration."""
        self._json("POST", "clock", {"advance_seconds": by.total_seconds()})

    def requests_summary(self, after: int = 0) -> dict[str, Any]:
        """Return `{"total", "by_status": {"200": n}, "requests": [{"n", "at", "method", "path", "status", "token"}]}`.

        Status 0 is a request whose response was dropped.
        """
        return self._json("GET", "requests", after=after)

    def requests_sent(self) -> int:
        """Return the number of requests since the log was cleared."""
        return int(self.requests_summary(after=10**12)["total"])

    def clear_requests(self) -> None:
        """Clear the request log."""
        self._json("DELETE", "requests")

    def add_fault(self, kind: str, **settings: Any) -> None:
        """Add a fault; see `emulator.faults.Fault` for its settings."""
        self._json("POST", "faults", {"kind": kind, **settings})

    def clear_faults(self) -> None:
        """End every fault."""
        self._json("DELETE", "faults")

    def set_rate_limit(self, **settings: Any) -> None:
        """Configure the limit and restart its counts; see `emulator.limits.Limits.configure` for its settings."""
        self._json("POST", "rate_limit", settings)

    def set_quirks(self, **changes: Any) -> None:
        """Select how the service behaves where its behaviour is unknown; see `emulator.quirks.Quirks`."""
        self._json("POST", "quirks", changes)

    def set_token(self, token: str, standing: str) -> None:
        """Make a token `active`, `expired` or `revoked`."""
        self._json("POST", f"tokens/{token}", {"standing": standing})

    def reset(self) -> None:
        """Restore the initial workspace and time, clear faults, log and counted requests, and activate all tokens."""
        self._json("POST", "reset")

    def save(self) -> bytes:
        """Return the workspace and its time as JSON without secrets, for `restore` here or in another emulator."""
        return self._send("GET", "snapshot").content

    def restore(self, saved: bytes) -> None:
        """Replace the workspace with a saved one."""
        self._send("PUT", "snapshot", data=saved)

    def state(self) -> dict[str, Any]:
        """Return everything in the workspace by token: `reports`, `schedules`, `subscriptions`, `collections`."""
        return self._json("GET", "state")

    def add_report(self, **fields: Any) -> str:
        """Add a Report and return its token; fields as in `change_report`."""
        return str(self._json("POST", "reports", fields)["token"])

    def change_report(self, token: str, **fields: Any) -> None:
        """Change a Report without the API: any field of `emulator.entities.Report`, and `collection`.

        `collection=None` removes it from its Collection: then no listing of a Collection contains it.
        """
        self._json("PATCH", f"reports/{token}", fields)

    def remove_report(self, token: str) -> None:
        """Delete a Report, as another user might."""
        self._json("DELETE", f"reports/{token}")

    def remove_run(self, report: str, run: str) -> None:
        """Delete a run that was started over the API, as a purge might."""
        self._json("DELETE", f"reports/{report}/runs/{run}")

    def view(self, token: str, count: int = 1) -> None:
        """Add `count` views of a Report at the current time."""
        self._json("POST", f"reports/{token}/views", {"count": count})

    def views(self, token: str, since: datetime) -> list[tuple[datetime, str]]:
        """Return the times and viewers of a Report's regular views after `since`."""
        rows = self._json("GET", f"reports/{token}/views", since=since.isoformat())["views"]
        return [(datetime.fromisoformat(row["at"]), row["viewer"]) for row in rows]

    def add_collection(self, name: str, **fields: Any) -> str:
        """Add a Collection and return its token: `space_type`, `description`, `restricted`, `owner`."""
        return str(self._json("POST", "collections", {"name": name, **fields})["token"])

    def add_schedule(self, report: str, **values: Any) -> str:
        """Add a schedule to a Report and return its token.

        :param values: `cron` (daily at 6:00 UTC), `params`, `name`, and who gets its results: `emails`, `slack`.
        """
        return str(self._json("POST", f"reports/{report}/schedules", values)["token"])

    def remove_collection(self, token: str) -> None:
        """Delete a Collection with its Reports."""
        self._json("DELETE", f"collections/{token}")

    def forbid_collection(self, token: str) -> None:
        """Respond 403 to every request for a Collection's contents."""
        self._json("POST", f"collections/{token}/forbid")
