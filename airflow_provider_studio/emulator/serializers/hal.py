# SPDX-License-Identifier: Apache-2.0
"""What all responses share: links, forms, listings, errors, and their encoding as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.json import encode
from starlette.responses import Response

from airflow_provider_studio.emulator.workspace import Workspace

Body = dict[str, Any]
HAL = "application/hal+json"
WEB = "https://app.mode.com"


@dataclass(frozen=True)
class View:
    """A workspace at one time, which the bodies are made from."""

    workspace: Workspace
    now: datetime

    @property
    def root(self) -> str:
        """The path of the workspace's resources."""
        return f"/api/{self.workspace.name}"


def link(href: str, *, templated: bool = False) -> Body:
    """Return a HAL link."""
    return {"templated": True, "href": href} if templated else {"href": href}


def form(method: str, action: str, fields: Body | None = None) -> Body:
    """Return a form with its fields and their present values."""
    body: Body = {"method": method, "action": action}
    if fields is not None:
        body["content_type"] = "application/json"
        body["input"] = {
            wrapper: {name: {"type": "text", "value": value} for name, value in values.items()}
            for wrapper, values in fields.items()
        }
    return body


def listing(path: str, key: str, rows: Sequence[Body], pagination: Body | None = None) -> Body:
    """Return a HAL listing; only some endpoints have a pagination block."""
    body: Body = {"_links": {"self": link(path)}, "_embedded": {key: list(rows)}}
    if pagination is not None:
        body["pagination"] = pagination
        # The real service emits it past the end, too.
        body["_links"]["next_page"] = link(f"{path}?page={pagination['page'] + 1}")
    return body


def pagination(page: int, per_page: int, count: int, total: int) -> Body:
    """Return the counters of a listing."""
    pages = max(1, -(-total // per_page))
    return {"page": page, "per_page": per_page, "count": count, "total_pages": pages, "total_count": total}


def error(error_id: str, message: Any) -> Body:
    """Return the body of an error."""
    return {"id": error_id, "message": message, "_links": {"help": link("https://mode.com/help")}}


def json_response(body: Any, status: int = 200, media_type: str = HAL) -> Response:
    """Return a response with a JSON body."""
    return Response(encode(body), status, media_type=media_type)
