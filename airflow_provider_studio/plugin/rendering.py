# SPDX-License-Identifier: Apache-2.0
"""Templates become responses. Every value is escaped, and no page contains a script or a style itself.

The Content-Security-Policy allows only files of this app, so that even a name that is not escaped could run nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_provider_studio import __version__
from airflow_provider_studio.client.plain_text import JOINERS, web_address
from airflow_provider_studio.governance.text import counted, duration
from airflow_provider_studio.plugin.open_approvals import OpenApproval

_KEPT = f"\n{JOINERS}"
HERE = Path(__file__).parent
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class Links:
    """URLs below the path at which the app is mounted, with the selected workspace as a parameter.

    :param request: has the path, including what `[api] base_url` and proxies put before it.
    :param workspace: None where none is selected.
    """

    def __init__(self, request: Request, workspace: str | None = None) -> None:
        self._request = request
        self.root = request.scope.get("root_path", "").rstrip("/")
        self.airflow = self.root.removesuffix("/studio") + "/"
        self._workspace = workspace

    def to(self, *parts: str, **query: Any) -> str:
        """Return the URL of a page, without parameters that are None or empty."""
        values = {"workspace": self._workspace, **query}
        parameters = {name: value for name, value in values.items() if value not in (None, "")}
        path = "/".join(quote(part, safe="") for part in parts)
        return f"{self.root}/{path}" + (f"?{urlencode(parameters)}" if parameters else "")

    def for_workspace(self, workspace: str) -> Links:
        """Return the links for another workspace."""
        return Links(self._request, workspace)

    def dag(self, dag_id: str, run_id: str | None = None) -> str:
        """Return the URL of a DAG, or of a run of it, in Airflow's UI."""
        run = f"/runs/{quote(run_id, safe='')}" if run_id else ""
        return f"{self.airflow}dags/{quote(dag_id, safe='')}{run}"

    def required_action(self, approval: OpenApproval) -> str:
        """Return the URL in Airflow's UI at which a person answers."""
        mapped = f"/mapped/{approval.map_index}" if approval.map_index >= 0 else ""
        task = f"/tasks/{quote(approval.task_id, safe='')}{mapped}"
        return f"{self.dag(approval.dag_id, approval.run_id)}{task}/required_actions"


def page(
    request: Request, template: str, context: Mapping[str, Any], *, workspace: str | None = None, status: int = 200
) -> HTMLResponse:
    """Return a page.

    :param context: the variables of the template.
    :param workspace: the selected workspace, for the links.
    """
    variables = {"links": Links(request, workspace), "version": __version__, **context}
    return HTMLResponse(_environment().get_template(template).render(variables), status_code=status)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {
        "day": day,
        "moment": moment,
        "number": number,
        "ago": ago,
        "due": due,
        "share": share,
        "web": web_address,
    }
    environment.filters |= {**filters, "words": words, "seconds": seconds, "counted": counted}
    return environment


def _aware(time: datetime | str) -> datetime:
    parsed = datetime.fromisoformat(time) if isinstance(time, str) else time
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def day(time: datetime | str | None) -> str:
    """Write a day."""
    return "–" if time is None else f"{_aware(time).astimezone(UTC):%Y-%m-%d}"


def moment(time: datetime | str | None) -> str:
    """Write a time to the minute."""
    return "–" if time is None else f"{_aware(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def number(value: float | None) -> str:
    """Write a number with thousands separators; an unknown one is a dash, never 0."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"


def seconds(value: float | None) -> str:
    """Write a duration; an unknown one is a dash."""
    return "–" if value is None else duration(value)


def share(part: float | None, whole: float | None) -> str:
    """Write a part as a percentage of the whole."""
    return "–" if part is None or not whole else f"{100 * part / whole:.1f} %"


def ago(time: datetime | str | None, now: datetime | None = None) -> str:
    """Write how long ago a time was, or how long it is until then."""
    if time is None:
        return "never"
    amount, is_past = _distance(time, now)
    if amount is None:
        return "now"
    return f"{amount} ago" if is_past else f"in {amount}"


def due(time: datetime | str, now: datetime | None = None) -> str:
    """Write how long it is until a time, or by how much something that was due then is overdue."""
    amount, is_past = _distance(time, now)
    if amount is None:
        return "now"
    return f"overdue by {amount}" if is_past else f"in {amount}"


def _distance(time: datetime | str, now: datetime | None) -> tuple[str | None, bool]:
    """Return the distance between a time and now in its largest unit, None below a minute; and whether it is past."""
    seconds_left = (_aware(time) - (now or datetime.now(UTC))).total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if abs(seconds_left) >= length:
            return counted(round(abs(seconds_left) / length), unit), seconds_left < 0
    return None, seconds_left < 0


def words(name: str | None) -> str:
    """Write an identifier as words: `protected_name` is `protected name`."""
    return (name or "").replace("_", " ").replace("-", " ")


def shown(value: Any) -> Any:
    """Return a value as a template prints it: a text has no character that reorders a line or cannot be encoded."""
    if not isinstance(value, str) or value.isprintable() or hasattr(value, "__html__"):  # the result of a macro
        return value
    return "".join(char if char.isprintable() or char in _KEPT else " " for char in value)
