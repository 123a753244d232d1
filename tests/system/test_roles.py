# SPDX-License-Identifier: Apache-2.0
"""Who may do what, asked of a live Airflow: the table of docs/security.md is what each role's requests are answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from airflow_provider_studio.governance.plans.audit import Audit
from tests.system.conftest import NIGHTLY, ROLES, Live

pytestmark = pytest.mark.system

_RUN = f"/api/v2/dags/{NIGHTLY}/dagRuns"
ABILITIES = {
    "see the pages and export the Reports": ("GET", "/studio/reports.csv?workspace=acme"),
    "see a plan with its evidence and journal": ("GET", "/studio/plans/{plan}?workspace=acme"),
    "see the tab of a DAG": ("GET", f"/studio/dags/{NIGHTLY}"),
    "read a task's log": ("GET", f"{_RUN}/none/taskInstances/none/logs/1"),
    "trigger the DAG, with params": ("POST", _RUN),
    "clear a task, so that it runs again": ("POST", f"/api/v2/dags/{NIGHTLY}/clearTaskInstances"),
    "answer an approval": ("PATCH", f"{_RUN}/none/taskInstances/none/-1/hitlDetails"),
    "mark a task as successful": ("PATCH", f"{_RUN}/none/taskInstances/none"),
    "write an XCom by hand": ("POST", f"{_RUN}/none/taskInstances/none/xcomEntries"),
    "set the stop switch (a Variable)": ("POST", "/api/v2/variables"),
    "see connections without their secrets": ("GET", "/api/v2/connections"),
    "change a connection": ("POST", "/api/v2/connections"),
    "change a page": ("POST", "/studio/plans"),
}
"""Requests that an allowed user gets past the check of permissions, and no further: bodies and names are not valid."""
_REFUSED = {401, 403, 405}


def is_allowed(live: Live, ability: str, user: str | None, plan: str) -> bool:
    method, path = ABILITIES[ability]
    session = requests.Session()
    session.trust_env = False
    headers = {} if user is None else {"Authorization": live.airflow.bearer(user)}
    url = live.airflow.url + path.format(plan=plan)
    body = {} if method != "GET" else None
    answer = session.request(method, url, headers=headers, json=body, timeout=60, allow_redirects=False)
    assert answer.status_code < 500 or "being prepared" in answer.text, (ability, user, answer.text)
    return answer.status_code not in _REFUSED


def test_each_role_may_do_what_the_documentation_says(live: Live) -> None:
    plan = Audit(live.storage, "acme").headers()[0].plan_id
    users = (None, *reversed(ROLES))
    lines = ["| | anonymous | viewer | user | op | admin |", "|---|---|---|---|---|---|"]
    for ability in ABILITIES:
        marks = ("yes" if is_allowed(live, ability, user, plan) else "–" for user in users)
        lines.append(f"| {ability} | {' | '.join(marks)} |")
    table = "\n".join(lines)
    print(table)
    documented = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    assert table in documented
