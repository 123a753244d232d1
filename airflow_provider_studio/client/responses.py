# SPDX-License-Identifier: Apache-2.0
"""Read a response: its error, its body, and its feedback about the rate limit.

Nothing here sends a request. No text of `requests` is used in messages, because it contains the URL with its query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from airflow_provider_studio.client.delivery import Phase
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConnectionError,
    StudioResponseError,
    error_for,
)
from airflow_provider_studio.client.ratelimit import RateLimitFeedback

_COUNT = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_MOST_RETRY_AFTER_SECONDS = 86_400.0
_RESOURCES = frozenset(
    {
        "archive",
        "clone",
        "content.csv",
        "data_sources",
        "datasets",
        "email_report_subscription_memberships",
        "filters",
        "invites",
        "members",
        "memberships",
        "query_runs",
        "report_stats",
        "reports",
        "results",
        "runs",
        "schedules",
        "slack_report_subscription_memberships",
        "spaces",
        "subscriptions",
        "unarchive",
        "verify",
    }
)


def connection_error(method: str, path: str, error: Exception, phase: Phase) -> StudioConnectionError:
    """Return the error of a request without a response, without the text of `requests`, which contains the query.

    :param phase: the phase that the request reached; it alone decides whether the request may have arrived.
    """
    if phase is Phase.CONNECTING:
        what = _while_connecting(error)
    elif phase is Phase.RESPONDING:
        what = "the response was cut short"
    elif isinstance(error, requests.ReadTimeout):
        what = "no response in time"
    elif isinstance(error, requests.exceptions.SSLError):
        what = "the TLS connection broke before the response, after the request was sent"
    else:
        what = "the connection broke before the response"
    return StudioConnectionError(f"{method} {path}: {what}.", may_have_arrived=phase is not Phase.CONNECTING)


def _while_connecting(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "no connection through the proxy; check the proxies of the environment and their credentials"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS handshake failed; check the host and its certificate"
    return "no connection; check the host, the network and proxies"


def api_error(method: str, path: str, response: requests.Response) -> StudioAPIError:
    """Return the error of a status that is no success, with Studio's message."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = body.get("message") or ""
    error = error_for(
        response.status_code,
        method=method,
        path=path,
        error_id=str(body["id"]) if body.get("id") else None,
        message=message if isinstance(message, str) else str(message),
    )
    error.retry_after_seconds = retry_after_seconds(response.headers)
    return error


def decoded(method: str, path: str, response: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a response; an empty response is `{}`.

    :raises StudioResponseError: the response is no JSON object.
    """
    if not response.content.strip():
        return {}
    kind = response.headers.get("Content-Type", "").partition(";")[0] or "no content type"
    try:
        body = response.json()
    except requests.JSONDecodeError:
        raise StudioResponseError(
            f"{method} {path} answered {response.status_code} with {kind} that is no JSON "
            f"({len(response.content):,} bytes). A proxy or a login page may stand before Studio, "
            "or the response was cut short; check the connection's host."
        ) from None
    if not isinstance(body, dict):
        raise StudioResponseError(f"{method} {path} answered a JSON {type(body).__name__} instead of an object.")
    return body


def endpoint_of(path: str) -> str:
    """Return a path without names and tokens: `/api/acme/reports/<token>/runs/<token>` is `reports/runs`."""
    return "/".join(part for part in path.split("/")[2:] if part in _RESOURCES)


def rate_limit_feedback(response: requests.Response, endpoint: str) -> RateLimitFeedback:
    """Return the feedback of a response about the rate limit."""
    return RateLimitFeedback(
        resource=endpoint,
        status=response.status_code,
        limit=_whole_number(response.headers.get("X-RateLimit-Limit")) or None,  # 0 would block all requests
        remaining=_whole_number(response.headers.get("X-RateLimit-Remaining")),
        retry_after_seconds=retry_after_seconds(response.headers),
    )


def _whole_number(text: str | None) -> int | None:
    """Return a count of requests; None for an implausible one, such as 400 digits."""
    text = (text or "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait that `Retry-After` requests, as seconds or as an HTTP date; None if it is missing or unusable.

    Of a list it is the largest, and at most a day; callers have shorter limits. A date is compared with the response's
    own `Date`, so a wrong clock of the server does not matter.
    """
    text = headers.get("Retry-After", "").strip()
    numbers = [part.strip() for part in text.split(",")]
    if all(_SECONDS.fullmatch(number) for number in numbers):
        return min(max(map(float, numbers)), _MOST_RETRY_AFTER_SECONDS)
    until = _http_date(text)
    if until is None:
        return None
    now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), _MOST_RETRY_AFTER_SECONDS)


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
