# SPDX-License-Identifier: Apache-2.0
"""What came back, in our words: the error an answer means, its body, and what it says of the rate limit.

Nothing here sends. No text of `requests` goes on: it holds the URL with its query.
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
    """Say what happened without the text of `requests`, which holds the URL with its query.

    :param phase: how far the request got, which alone decides whether it may have arrived.
    """
    if phase is Phase.CONNECTING:
        what = _while_connecting(error)
    elif phase is Phase.RESPONDING:
        what = "the answer was cut short"
    elif isinstance(error, requests.ReadTimeout):
        what = "no answer came in time"
    elif isinstance(error, requests.exceptions.SSLError):
        what = "the TLS connection broke before the answer, after the request was sent"
    else:
        what = "the connection broke before the answer"
    return StudioConnectionError(f"{method} {path}: {what}.", may_have_arrived=phase is not Phase.CONNECTING)


def _while_connecting(error: Exception) -> str:
    if isinstance(error, requests.exceptions.ProxyError):
        return "no connection through the proxy; check the proxies of the environment and their credentials"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS handshake failed; check the host and its certificate"
    return "no connection; check the host, the network and proxies"


def api_error(method: str, path: str, response: requests.Response) -> StudioAPIError:
    """Return the error of a status that is none of success, with what Studio says about it."""
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
    """Return the JSON object that was answered; an empty answer is `{}`.

    :raises StudioResponseError: it is none.
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
            "or the answer was cut short; check the connection's host."
        ) from None
    if not isinstance(body, dict):
        raise StudioResponseError(f"{method} {path} answered a JSON {type(body).__name__} instead of an object.")
    return body


def endpoint_of(path: str) -> str:
    """Return a path without names and tokens: `/api/acme/reports/<token>/runs/<token>` is `reports/runs`."""
    return "/".join(part for part in path.split("/")[2:] if part in _RESOURCES)


def rate_limit_feedback(response: requests.Response, endpoint: str) -> RateLimitFeedback:
    """Return what an answer says of the budget."""
    return RateLimitFeedback(
        resource=endpoint,
        status=response.status_code,
        limit=_whole_number(response.headers.get("X-RateLimit-Limit")) or None,  # 0 would let nobody send for ever
        remaining=_whole_number(response.headers.get("X-RateLimit-Remaining")),
        retry_after_seconds=retry_after_seconds(response.headers),
    )


def _whole_number(text: str | None) -> int | None:
    """A count of requests; None for what cannot be one, such as 400 digits."""
    text = (text or "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as seconds or as an HTTP date; None without a usable one.

    Of a list it is the largest, and never more than a day; those who wait have shorter caps. A date is compared with
    the response's own `Date`, so that a server whose clock is off does no harm.
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
