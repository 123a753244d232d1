# SPDX-License-Identifier: Apache-2.0
"""The errors of the client, as a tree that mirrors how a caller would handle them.

No message holds a secret or a query string.
"""

from __future__ import annotations

__all__ = [
    "StudioAPIError",
    "StudioAuthenticationError",
    "StudioBadRequestError",
    "StudioCapabilityError",
    "StudioConfigurationError",
    "StudioConnectionError",
    "StudioError",
    "StudioForbiddenError",
    "StudioNotFoundError",
    "StudioRateLimitedError",
    "StudioReportLateError",
    "StudioResponseError",
    "StudioResponseTooLargeError",
    "StudioRunCancelledError",
    "StudioRunError",
    "StudioRunFailedError",
    "StudioRunTimeoutError",
    "StudioServerError",
    "StudioWrongResourceError",
]

_LONGEST_TEXT = 20_000


class StudioError(Exception):
    """The base of all errors that this provider raises.

    A message is cut at 20,000 characters, because it ends in logs, journals and Airflow's database.
    """

    retry_helps: bool = True
    """Whether the same call may succeed later without a change by a person."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(text[:_LONGEST_TEXT] if isinstance(text, str) else text for text in arguments))


class StudioConfigurationError(StudioError, ValueError):
    """Bad input, found before any request was sent. The message names the field, the value and how to fix it."""

    retry_helps = False


class StudioCapabilityError(StudioError):
    """The token's kind or the deployment does not permit this; no request was sent. The message names what helps."""

    retry_helps = False


class StudioConnectionError(StudioError):
    """No response was received.

    :param may_have_arrived: whether the request may have reached Studio and had its effect.
    """

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class StudioResponseError(StudioError):
    """A response that is not the API's: HTML from a proxy, a truncated body, a key of the wrong type."""


class StudioResponseTooLargeError(StudioResponseError):
    """A response is larger than its limit. The message names the limit and how to increase it."""

    retry_helps = False


class StudioWrongResourceError(StudioResponseError):
    """A response that describes another resource than the requested one."""


class StudioAPIError(StudioError):
    """Studio responded with an error status.

    :param status: HTTP status.
    :param error_id: Studio's `id` of the error (such as `not_found`), if the body has one.
    :param message: Studio's own message: one line, cut, without control characters and credentials.
    :param method: HTTP method of the request.
    :param path: path of the request, without its query.
    :param advice: what to do next, appended to the text.
    """

    retry_after_seconds: float | None = None
    """The seconds of the response's `Retry-After`."""
    meant_status: int
    """The status that the error's id stands for; `status` if it has no id that decides."""

    def __init__(
        self,
        status: int,
        *,
        method: str,
        path: str,
        error_id: str | None = None,
        message: str = "",
        advice: str = "",
    ) -> None:
        self.status, self.error_id, self.message = status, error_id, message
        self.meant_status = status
        self.method, self.path = method, path
        reason = f"{error_id}: {message}" if error_id else message or "no reason"
        super().__init__(f"{method} {path} answered {status} ({reason}).{' ' if advice else ''}{advice}")


class StudioBadRequestError(StudioAPIError):
    """400 or 422: Studio refused the content of the request; to send it again does not help."""

    retry_helps = False


class StudioAuthenticationError(StudioAPIError):
    """401: the token or its secret is not valid, or not any more."""

    retry_helps = False


class StudioForbiddenError(StudioAPIError):
    """403: the token is valid and may not do this."""

    retry_helps = False


class StudioNotFoundError(StudioAPIError):
    """404, or the id `not_found`: it does not exist, or the token may not see it."""


class StudioRateLimitedError(StudioAPIError):
    """429 after every retry: other clients use this token's budget."""


class StudioServerError(StudioAPIError):
    """408 or 5xx after every retry."""


class StudioRunError(StudioError):
    """A Report run did not succeed."""


class StudioRunFailedError(StudioRunError):
    """The run failed. The message names the query, the error code and Studio's message."""


class StudioRunCancelledError(StudioRunError):
    """Someone cancelled the run."""

    retry_helps = False


class StudioReportLateError(StudioError):
    """A Report did not run when its schedule should have run it."""

    retry_helps = False


class StudioRunTimeoutError(StudioRunError):
    """The run was not over in time; it continues in Studio."""


_BY_STATUS: dict[int, tuple[type[StudioAPIError], str]] = {
    400: (StudioBadRequestError, ""),
    401: (
        StudioAuthenticationError,
        "Check the connection's token and secret; an admin may have revoked them.",
    ),
    403: (StudioForbiddenError, "Use a token that may do this, such as a Workspace token."),
    404: (StudioNotFoundError, "It does not exist, or this token may not see it."),
    407: (
        StudioAPIError,
        "A proxy requires credentials; write them, percent-encoded, into the URL in HTTPS_PROXY.",
    ),
    408: (StudioServerError, ""),
    422: (StudioBadRequestError, ""),
    429: (
        StudioRateLimitedError,
        "Another client uses this token's budget; use a separate token for Airflow.",
    ),
}
_STATUS_OF_ID = {
    "bad_request": 400,
    "param_missing": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "rate_limited": 429,
    "internal_server_error": 500,
    "service_unavailable": 503,
}
"""Studio's ids of errors. Source: the API description, which does not pair all of them with a status."""
_STATUSES_THAT_IDS_REFINE = frozenset({400, 401, 403, 404, 422})


def error_for(
    status: int,
    *,
    method: str,
    path: str,
    error_id: str | None = None,
    message: str = "",
    redirects_to: str | None = None,
) -> StudioAPIError:
    """Return the error of an HTTP status of 300 and above.

    Of a refusal the id decides rather than the status, because Studio may send `not_found` with status 400. Other
    statuses speak for themselves: 407 is of a proxy, 429 of the rate limit, and after a status of 500 and above the
    request may have had its effect.

    :param redirects_to: scheme and host of a redirect's target.
    """
    meant = status
    if status in _STATUSES_THAT_IDS_REFINE:
        meant = _STATUS_OF_ID.get(error_id or "", status)
    kind, advice = _BY_STATUS.get(meant, (StudioServerError if meant >= 500 else StudioAPIError, ""))
    if 300 <= status < 400:
        advice = _advice_for_redirect(redirects_to)
    error = kind(status, method=method, path=path, error_id=error_id, message=message, advice=advice)
    error.meant_status = meant
    return error


def _advice_for_redirect(target: str | None) -> str:
    where = f"to {target}, which gets no credentials" if target else "without the address of another host"
    return (
        f"It redirects {where}. If that is Studio's new address, set it as the connection's host; if it is a login "
        "page or a proxy, let Airflow's hosts reach Studio without it."
    )
