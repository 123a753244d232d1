# SPDX-License-Identifier: Apache-2.0
"""Errors of governance. Each message says which operation failed and what to do next."""

from __future__ import annotations

from airflow_provider_studio.client.errors import StudioAPIError, StudioError, StudioResponseError

__all__ = [
    "ApprovalError",
    "GovernanceError",
    "GuardRailError",
    "InventoryError",
    "JournalError",
    "NoEffectError",
    "PlanError",
    "PlanTamperedError",
    "PolicyError",
    "RefusedError",
    "StoppedError",
    "StorageError",
    "WrongWorkspaceError",
]


class GovernanceError(StudioError):
    """The base of all errors of governance."""


class InventoryError(GovernanceError):
    """The crawl read too little for a snapshot."""


class PolicyError(GovernanceError, ValueError):
    """An invalid policy. The message names the field, the value and the fix."""

    retry_helps = False


class PlanError(GovernanceError):
    """A plan cannot be created, read or applied."""

    retry_helps = False


class PlanTamperedError(PlanError):
    """The content of a plan does not match its hash."""


class ApprovalError(PlanError, ValueError):
    """The plan, or this part of it, is not approved; nothing was touched."""


class WrongWorkspaceError(PlanError):
    """The plan or journal belongs to another workspace."""


class GuardRailError(GovernanceError):
    """The plan exceeds a guard rail; nothing was touched."""

    retry_helps = False


class StoppedError(GovernanceError):
    """The apply was stopped; the journal records what was done."""

    retry_helps = False


class RefusedError(GovernanceError):
    """Studio refused some actions permanently; all others were done."""

    retry_helps = False


class NoEffectError(GovernanceError, StudioResponseError):
    """Studio accepted an action, but the Report or schedule is unchanged."""


class StorageError(GovernanceError):
    """The storage cannot be read or written."""


class JournalError(GovernanceError):
    """The journal is missing or damaged."""


ABOUT_ONE_REPORT = frozenset({400, 403, 404, 409, 410, 422, 423})
"""HTTP statuses that concern the Report of a request. Others concern the token or the service."""


def is_refusal(error: StudioError) -> bool:
    """Whether an error concerns only the Report of the request, so that work on other Reports can continue."""
    return isinstance(error, NoEffectError) or (isinstance(error, StudioAPIError) and error.status in ABOUT_ONE_REPORT)
