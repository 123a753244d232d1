# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a caller and Studio, as a tree that mirrors what the caller would do about it.

No message ever holds a secret or a query string.
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
    "StudioResponseError",
    "StudioRunCancelledError",
    "StudioRunError",
    "StudioRunFailedError",
    "StudioRunTimeoutError",
    "StudioServerError",
]


class StudioError(Exception):
    """Anything that this provider raises on purpose."""

    retry_helps: bool = True
    """Whether the same call may succeed later, with nobody mending anything."""


class StudioConfigurationError(StudioError, ValueError):
    """Bad input, found before any request was sent. The message names the field, the value and the mend."""

    retry_helps = False


class StudioCapabilityError(StudioError):
    """The token's kind may not do this; no request was sent. The message names the kind and the way out."""

    retry_helps = False


class StudioConnectionError(StudioError):
    """No answer came.

    :param may_have_arrived: whether the request may have reached Studio and had its effect.
    """

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class StudioResponseError(StudioError):
    """An answer that is not the API's: HTML from a proxy, a body cut short, a key of the wrong type."""


class StudioAPIError(StudioError):
    """Studio answered with an error status.

    :param status: HTTP status.
    :param error_id: Studio's `id` of the error (such as `not_found`), where the body had one.
    :param message: Studio's own message.
    :param method: HTTP method of the request.
    :param path: path of the request, without its query.
    :param advice: what to do next, appended to the text.
    """

    retry_after_seconds: float | None = None
    """What the answer's `Retry-After` asked for."""

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
        self.method, self.path = method, path
        reason = f"{error_id}: {message}" if error_id else message or "no reason given"
        super().__init__(f"{method} {path} answered {status} ({reason}).{' ' if advice else ''}{advice}")


class StudioBadRequestError(StudioAPIError):
    """400 or 422: Studio refused the content of the request; sending it again cannot help."""

    retry_helps = False


class StudioAuthenticationError(StudioAPIError):
    """401: the token or its secret is not valid (any more)."""

    retry_helps = False


class StudioForbiddenError(StudioAPIError):
    """403: the token is valid and may not do this."""

    retry_helps = False


class StudioNotFoundError(StudioAPIError):
    """404: no such thing, or no permission to know of it."""


class StudioRateLimitedError(StudioAPIError):
    """429, still, after every retry: others spend this token's budget."""


class StudioServerError(StudioAPIError):
    """408 or 5xx, still, after every retry."""


class StudioRunError(StudioError):
    """A Report run did not end well."""


class StudioRunFailedError(StudioRunError):
    """It failed. The message names the query, the error code and Studio's message."""


class StudioRunCancelledError(StudioRunError):
    """Someone cancelled it."""

    retry_helps = False


class StudioRunTimeoutError(StudioRunError):
    """It was not over in time; it goes on in Studio."""


_BY_STATUS: dict[int, tuple[type[StudioAPIError], str]] = {
    400: (StudioBadRequestError, ""),
    401: (
        StudioAuthenticationError,
        "Check the connection's token and secret; an admin may have revoked them.",
    ),
    403: (StudioForbiddenError, "Use a token that may do this, such as a Workspace token."),
    404: (StudioNotFoundError, "It does not exist, or this token may not see it."),
    408: (StudioServerError, ""),
    422: (StudioBadRequestError, ""),
    429: (
        StudioRateLimitedError,
        "Someone else spends this token's budget; use a token of its own for Airflow.",
    ),
}


def error_for(status: int, *, method: str, path: str, error_id: str | None = None, message: str = "") -> StudioAPIError:
    """Return the error that an HTTP status of 300 and above stands for."""
    kind, advice = _BY_STATUS.get(status, (StudioServerError if status >= 500 else StudioAPIError, ""))
    return kind(status, method=method, path=path, error_id=error_id, message=message, advice=advice)
