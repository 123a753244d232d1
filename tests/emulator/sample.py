# SPDX-License-Identifier: Apache-2.0
"""An emulated workspace with one entity of each kind, so that every endpoint has data."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import requests

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.tables import Row

CRON = {"freq": "weekly", "hour": 6, "minute": 30, "time_zone": "Berlin", "day_of_week": "1,3"}

BODIES: dict[str, dict[str, Any]] = {
    "POST /{ws}/invites": {"invite": {"invitee": {"email": "new@example.com"}, "message": "Welcome"}},
    "POST /{ws}/groups": {"user_group": {"name": "Analysts"}},
    "PATCH /{ws}/groups/{group}": {"user_group": {"name": "Scientists"}},
    "POST /{ws}/groups/{group}/memberships": {"membership": {"member_token": "{member}"}},
    "POST /{ws}/spaces": {"space": {"name": "Finance", "description": "Money"}},
    "PATCH /{ws}/spaces/{space}": {"space": {"name": "Finance", "description": None}},
    "POST /{ws}/spaces/{space}": {"space": {"name": "Finance"}},
    "POST /{ws}/spaces/{space}/memberships": {"membership": {"member_type": "User", "member_token": "{member}"}},
    "PATCH /{ws}/reports/{report}": {"report": {"name": "Revenue", "description": "By month"}},
    "PATCH /{ws}/datasets/{dataset}": {"report": {"name": "Orders"}},
    "PATCH /{ws}/reports/{report}/update_settings": {"report": {"full_width": True}},
    "POST /{ws}/reports/{report}/filters": {"report_filter": {"name": "Day", "formula": "[day]"}},
    "PATCH /{ws}/reports/{report}/filters/{filter}": {"report_filter": {"name": "Country"}},
    "PATCH /{ws}/reports/{report}/filters/update_batch": {
        "report": {"filters": [{"token": "{filter}", "options": {"a": 1}}]}
    },
    "POST /{ws}/reports/{report}/queries": {"query": {"raw_query": "SELECT 1", "name": "One"}},
    "PATCH /{ws}/reports/{report}/queries/{query}": {"query": {"raw_query": "SELECT 2"}},
    "POST /{ws}/reports/{report}/runs": {"parameters": {"region": "EU"}},
    "POST /{ws}/reports/{report}/schedules": {"report_schedule": {"cron": CRON, "name": "Mondays"}},
    "PATCH /{ws}/reports/{report}/schedules/{schedule}": {"report_schedule": {"name": "Tuesdays"}},
    "POST /{ws}/reports/{report}/subscriptions": {"report_subscription": {"data_tables_enabled": True}},
    "PATCH /{ws}/reports/{report}/subscriptions/{subscription}": {
        "report_subscription": {"report_links_enabled": True}
    },
    "POST /{ws}/datasets/{dataset}/field_descriptions": {"name": "region", "desc": "<p>Where</p>"},
    "PATCH /{ws}/datasets/{dataset}/field_descriptions/{field_description}": {"desc": "<p>Which</p>"},
    "PATCH /{ws}/reports/{report}/sync_to_github": {"commit_message": "Nightly"},
    "PATCH /{ws}/data_sources/{data_source}": {"data_source": {"name": "Warehouse"}},
    "POST /{ws}/definitions": {"definition": {"name": "active_users", "source": "SELECT 1"}},
    "PATCH /{ws}/definitions/{definition}": {"definition": {"name": "users"}},
}
_FIRST = {"filter": {"report_filter": {"name": "Region", "formula": "[region]"}}}
"""The bodies of the sample's own entities where a second one with the same values would be refused."""
_FOR_PERSONS = {
    "GET /account",
    "GET /{ws}/memberships",
    "POST /{ws}/invites",
    "POST /{ws}/reports/{report}/runs/{run}/clone",
}
_QUERIES = {
    "GET /{ws}/spaces": "?filter=custom",
    "GET /{ws}/audit_logs": "?start_timestamp=2026-01-01T00:00:00Z&end_timestamp=2026-06-01T00:00:00Z",
    "POST /{ws}/reports/purge": "?time=2026-01-01",
}


class Sample:
    """The tokens of one entity of each kind, by the parameter names of paths.

    :param emulator: a running emulator, in which the entities are created.
    """

    def __init__(self, emulator: StudioEmulator) -> None:
        self.emulator = emulator
        self._sessions: dict[str, requests.Session] = {}
        self.names = {"ws": emulator.workspace, "notebook": "x"}
        self._fill()

    def session(self, kind: str) -> requests.Session:
        """Return a session with the credentials of a kind of token."""
        if kind not in self._sessions:
            session = self._sessions[kind] = requests.Session()
            session.trust_env, session.auth = False, self.emulator.credentials(kind)
        return self._sessions[kind]

    def ask(self, method: str, path: str, body: Any = None, kind: str = "workspace") -> requests.Response:
        """Send a request to a path below `/api`, with the tokens filled in."""
        address = f"{self.emulator.url}/api{self.filled(path)}"
        return self.session(kind).request(method, address, json=self._named(body), timeout=60, allow_redirects=False)

    def call(self, row: Row) -> requests.Response:
        """Send a valid request to an endpoint."""
        name = f"{row.method} {row.path}"
        kind = "personal" if name in _FOR_PERSONS else "workspace"
        return self.ask(row.method, row.path + _QUERIES.get(name, ""), BODIES.get(name), kind)

    def mint(self) -> dict[str, str]:
        """Create a signature token of the Discovery API."""
        scope = {"authentication_for": "batch-api", "authorization_type": "read-only"}
        values = {"name": "nightly", "expires_at": "2026-12-01T00:00:00Z", "auth_scope": scope}
        address = f"{self.emulator.url}/batch/{self.emulator.workspace}/signature_tokens"
        minted = self.session("workspace").post(address, json={"signature_token": values}, timeout=60)
        return dict(minted.json())

    def discover(self, path: str, minted: dict[str, str]) -> dict[str, Any]:
        """Return a body of the Discovery API, requested with a signature token."""
        secret = f"{minted['token']}:{minted['access_key']}:{minted['access_secret']}"
        headers = {"Authorization": f"Bearer {b64encode(secret.encode()).decode()}"}
        address = f"{self.emulator.url}/batch/{self.emulator.workspace}/{path}"
        return dict(requests.get(address, headers=headers, timeout=60).json())

    def filled(self, path: str) -> str:
        """Return a path with real tokens."""
        return path.format_map(self.names)

    def _named(self, body: Any) -> Any:
        if isinstance(body, str):
            return self.names[body[1:-1]] if body.startswith("{") and body.endswith("}") else body
        if isinstance(body, dict):
            return {name: self._named(value) for name, value in body.items()}
        return [self._named(item) for item in body] if isinstance(body, list) else body

    def _fill(self) -> None:
        names, control = self.names, self.emulator.control
        names["space"] = control.add_collection("Finance")
        names["member"] = self._first("/{ws}/memberships/lite", "memberships", "member_token")
        names["membership"] = names["member"]
        names["report"] = control.add_report(
            name="Revenue",
            collection=names["space"],
            query_count=3,
            form={"region": ["EU", "US"], "day": []},
            habit={"views_per_day": 2.0, "run_every_days": 1.0},
            created_at="2026-01-01T00:00:00+00:00",
            edited_at="2026-01-02T00:00:00+00:00",
        )
        names["dataset"] = control.add_report(name="Orders", collection=names["space"], type="DatasetReport")
        control.change_report(names["report"], imported_datasets=[names["dataset"]])
        names["schedule"] = control.add_schedule(names["report"], params={"region": "EU"})
        control.add_schedule(names["dataset"])
        for name, path in (
            ("group", "/{ws}/groups"),
            ("group_membership", "/{ws}/groups/{group}/memberships"),
            ("space_membership", "/{ws}/spaces/{space}/memberships"),
            ("filter", "/{ws}/reports/{report}/filters"),
            ("definition", "/{ws}/definitions"),
            ("field_description", "/{ws}/datasets/{dataset}/field_descriptions"),
        ):
            names[name] = self.ask("POST", path, _FIRST.get(name, BODIES[f"POST {path}"])).json()["token"]
        path = "/{ws}/reports/{report}/subscriptions"
        links = self.ask("POST", path, BODIES[f"POST {path}"]).json()["_links"]
        names["subscription"] = links["self"]["href"].rsplit("/", 1)[-1]
        names["query"] = self._first("/{ws}/reports/{report}/queries", "queries")
        names["chart"] = self._first("/{ws}/reports/{report}/queries/{query}/charts", "charts")
        names["run"] = self._first("/{ws}/reports/{report}/runs", "report_runs")
        names["query_run"] = self._first("/{ws}/reports/{report}/runs/{run}/query_runs", "query_runs")
        names["duplicate"] = self.ask("POST", "/{ws}/reports/{report}/runs/{run}/duplicates").json()["token"]
        names["data_source"] = self._first("/{ws}/data_sources", "data_sources")
        names["dataset_run"] = self.ask("POST", "/{ws}/datasets/{dataset}/runs").json()["token"]

    def _first(self, path: str, key: str, field: str = "token") -> str:
        return str(self.ask("GET", path).json()["_embedded"][key][0][field])
