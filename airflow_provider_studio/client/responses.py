# SPDX-License-Identifier: Apache-2.0
"""Read a response: its error, its body, and its feedback about the rate limit.

Nothing here sends a request. No text of `requests` is used in messages, because it contains the URL with its query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from airflow_provider_studio.client.delivery import Phase
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConnectionError,
    StudioResponseError,
    error_for,
)
from airflow_provider_studio.client.json_body import UnreadableBodyError, parse_object
from airflow_provider_studio.client.ratelimit import RateLimitFeedback
from airflow_provider_studio.client.route import Route
from airflow_provider_studio.client.secret_scrubber import SecretScrubber

_COUNT = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_MOST_RETRY_AFTER_SECONDS = 86_400.0
_LONGEST_ID = 64
_LONGEST_HOST = 255
_RESOURCES = frozenset(
    {
        "archive",
        "audit_logs",
        "charts",
        "clone",
        "collections",
        "content.csv",
        "content.json",
        "data_sources",
        "datasets",
        "definitions",
        "duplicates",
        "email_report_subscription_memberships",
        "fields",
        "filters",
        "groups",
        "invites",
        "members",
        "memberships",
        "options",
        "purge",
        "queries",
        "query_runs",
        "report_stats",
        "reports",
        "results",
        "runs",
        "schedules",
        "schema_updates",
        "slack_report_subscription_memberships",
        "spaces",
        "subscriptions",
        "sync_to_github",
        "unarchive",
        "update_settings",
        "verify",
    }
)


@dataclass(frozen=True)
class ReceivedResponse:
    """A response that was read completely.

    :param method: HTTP method of the request.
    :param path: its path, as it may be shown.
    :param body: decompressed.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def connection_error(
    method: str, path: str, error: Exception, phase: Phase, *, route: Route, excess: str | None = None
) -> StudioConnectionError:
    """Return the error of a request without a response, without the text of `requests`, which contains the query.

    :param phase: the phase that the request reached; it alone decides whether the request may have arrived.
    :param route: where the request was sent.
    :param excess: the limit that its response exceeded, if that is why there is none.
    """
    if phase is Phase.CONNECTING:
        what = route.failure(error)
    elif excess is not None:
        what = excess
    elif phase is Phase.RESPONDING:
        what = "the response was cut short"
    elif isinstance(error, requests.ReadTimeout):
        what = "no response in time"
    elif isinstance(error, requests.exceptions.SSLError):
        what = "the TLS connection broke before the response, after the request was sent"
    else:
        what = "the connection broke before the response"
    return StudioConnectionError(f"{method} {path}: {what}.", may_have_arrived=phase is not Phase.CONNECTING)


def undecodable(method: str, path: str, encoding: str) -> StudioResponseError:
    """Return the error of a body whose compression is damaged, or was not requested.

    :param encoding: `Content-Encoding`, as it may be shown.
    """
    return StudioResponseError(
        f"{method} {path}: the response cannot be decompressed (Content-Encoding: {encoding or 'none'}). "
        "A proxy may have changed it; check the connection's host and the proxies of the environment."
    )


def api_error(response: ReceivedResponse, scrubber: SecretScrubber) -> StudioAPIError:
    """Return the error of a status that is no success, with Studio's message.

    :param scrubber: makes the server's texts safe for messages.
    """
    try:
        body = parse_object(response.body)
    except UnreadableBodyError:
        body = {}
    error = error_for(
        response.status,
        method=response.method,
        path=response.path,
        error_id=scrubber.shown(body["id"], _LONGEST_ID) if body.get("id") else None,
        message=scrubber.shown(body.get("message") or ""),
        redirects_to=_target_host(response, scrubber),
    )
    error.retry_after_seconds = retry_after_seconds(response.headers)
    return error


def _target_host(response: ReceivedResponse, scrubber: SecretScrubber) -> str | None:
    """Return the scheme and host that a redirect leads to; its path may contain a secret."""
    if not 300 <= response.status < 400:
        return None
    try:
        target = urlsplit(response.headers.get("Location", ""))
        host, port = target.hostname, target.port
    except ValueError:
        return None
    if not host:
        return None
    return scrubber.shown(f"{target.scheme or 'https'}://{host}{f':{port}' if port else ''}", _LONGEST_HOST)


def decoded(response: ReceivedResponse, scrubber: SecretScrubber) -> dict[str, Any]:
    """Return the JSON object of a response; an empty response to a change is `{}`.

    :param scrubber: makes the server's texts safe for messages.
    :raises StudioResponseError: the response is no JSON object.
    """
    if not response.body.strip() and response.method != "GET":
        return {}
    try:
        return parse_object(response.body)
    except UnreadableBodyError as error:
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        raise StudioResponseError(
            f"{response.method} {response.path} answered {response.status} with "
            f"{scrubber.shown(kind, _LONGEST_ID) or 'no content type'} {error} ({len(response.body):,} bytes). A proxy "
            "or a login page may stand before Studio, or the response was cut short; check the connection's host."
        ) from None


def endpoint_of(path: str) -> str:
    """Return a path without names and tokens: `/api/acme/reports/<token>/runs/<token>` is `reports/runs`."""
    return "/".join(part for part in path.split("/")[2:] if part in _RESOURCES)


def rate_limit_feedback(status: int, headers: Mapping[str, str], endpoint: str) -> RateLimitFeedback:
    """Return the feedback of a response about the rate limit."""
    return RateLimitFeedback(
        resource=endpoint,
        status=status,
        limit=_whole_number(headers.get("X-RateLimit-Limit")) or None,  # 0 would block all requests
        remaining=_whole_number(headers.get("X-RateLimit-Remaining")),
        retry_after_seconds=retry_after_seconds(headers),
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
    until = http_date(text)
    if until is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), _MOST_RETRY_AFTER_SECONDS)


def http_date(text: str) -> datetime | None:
    """Return the time of a header such as `Date`; None if it is no HTTP date."""
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
