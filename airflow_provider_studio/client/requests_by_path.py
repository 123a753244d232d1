# SPDX-License-Identifier: Apache-2.0
"""Requests that a caller writes: the API has endpoints without a method here, and later ones will have none.

They use the same transport as every method, so the same budget, retries, masking and limits apply. What is checked here
is what a method guarantees by its code: that the request stays in the workspace, and that nothing in it is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any, Literal

from airflow_provider_studio.client.auth import Operation, is_identifier, require
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.errors import StudioConfigurationError

Method = Literal["GET", "POST", "PATCH", "DELETE"]
_METHODS = ("GET", "POST", "PATCH", "DELETE")
_LONGEST_SHOWN = 200


class RequestsByPath(StudioClientBase):
    """The part of `StudioClient` that sends a request to any path of the workspace."""

    def request(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request to an endpoint that has no method here, and return the JSON object of the response.

        It has no guard rails: no backup, no approval, no protected Reports. A deployment can restrict it to GET
        (`read_only_requests`). A POST is never repeated once it may have arrived; the others are.

        :param path: below the workspace, such as `reports/0a1b2c3d4e5f/pins`, or with `/api/<workspace>/` before it.
        :param params: the query, as texts and whole numbers.
        :param json: the body of a change, a JSON object.
        :return: the response as it is; that of a change may be empty. It may contain presigned URLs.
        :raises StudioConfigurationError: an unusable method, path, query or body, before any request.
        :raises StudioCapabilityError: the token's kind or the deployment does not permit it, before any request.
        """
        checked, query = api_path(self.workspace, path), checked_params(params)
        if method not in _METHODS:
            raise StudioConfigurationError(f"method is {method!r}; it must be one of {', '.join(_METHODS)}.")
        body = None if json is None else _checked_body(method, json)
        self._permissions().check_request(method, checked)
        operation = limited_operation(method, checked)
        if operation is not None:
            require(self.token_kind, operation)
        return self._transport.request(method, checked, query=query, body=body, priority=self._priority)

    def iterate(
        self, path: str, key: str, *, params: Mapping[str, str | int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """List an endpoint that has no method here: each row once, one request per page.

        :param path: as in `request`.
        :param key: the key of the rows under `_embedded`, such as `reports`.
        :param params: the query without `page`, which is counted here.
        :raises StudioConfigurationError: as in `request`, before any request.
        :raises StudioResponseError: a page without its rows.
        """
        checked, query = api_path(self.workspace, path), checked_params(params)
        if "page" in query:
            raise StudioConfigurationError("params has 'page', which iterate counts itself; remove it.")
        return self._rows(checked, key, query, tokens=False)


def api_path(workspace: str, path: str) -> str:
    """Return the absolute path of an endpoint of a workspace.

    :param path: below the workspace, or absolute.
    :raises StudioConfigurationError: it may lead anywhere else, or a part of it is empty, as after an empty token.
    """
    root = f"/api/{workspace}/"
    text = path if isinstance(path, str) else ""
    inside = text.removeprefix(root)
    is_elsewhere = inside.startswith(("/", "api/"))
    unusable = next((part for part in inside.split("/") if not is_identifier(part)), None)
    if not is_elsewhere and unusable is None:
        return root + inside
    reason = "it leads elsewhere" if is_elsewhere else f"{(unusable or '').partition('?')[0]!r} is no part of one"
    raise StudioConfigurationError(
        f"path is {text.partition('?')[0][:_LONGEST_SHOWN]!r}: {reason[:_LONGEST_SHOWN]}. It must be below the "
        f"workspace, such as 'reports/0a1b2c3d4e5f/runs', or start with {root}; its parts are letters, digits, '-', "
        "'_' and '.', and a query belongs into params."
    )


def checked_params(params: Mapping[str, str | int] | None) -> dict[str, str | int]:
    """Return a query whose values have one spelling only.

    :raises StudioConfigurationError: a value is neither a text nor a whole number; its value is not shown.
    """
    for name, value in (params or {}).items():
        if not isinstance(name, str) or not isinstance(value, str | int) or isinstance(value, bool):
            raise StudioConfigurationError(
                f"params has {name!r} of the type {type(value).__name__}; names are texts, values texts or whole "
                "numbers. Write a bool as the API does, such as 'true'."
            )
    return dict(params or {})


def _checked_body(method: str, body: Mapping[str, Any]) -> dict[str, Any]:
    if method == "GET":
        raise StudioConfigurationError("json is given with GET, which has no body; use params.")
    if not isinstance(body, Mapping):
        raise StudioConfigurationError(f"json is of the type {type(body).__name__}; it must be a mapping.")
    try:
        dumps(dict(body), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StudioConfigurationError(
            f"json has a value that JSON cannot express ({type(error).__name__}); convert it to a text or a number."
        ) from None
    return dict(body)


def limited_operation(method: str, path: str) -> Operation | None:
    """Return what a request does if some kinds of token may not do it; None for anything else.

    :param path: absolute, as of `api_path`.
    """
    match (method, path.split("/")[3:]):
        case ("POST", ["invites"]):
            return Operation.CREATE_INVITE
        case ("POST", ["reports", _, "runs", _, "clone"]):
            return Operation.CLONE_REPORT_RUN
        case ("GET", ["audit_logs"]):
            return Operation.READ_AUDIT_LOG
    return None
