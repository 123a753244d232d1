# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in governing a workspace. Each message says what was being done and what to do next."""

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
    """Anything that stops a step of governance."""


class InventoryError(GovernanceError):
    """The walk read too little to be a snapshot."""


class PolicyError(GovernanceError, ValueError):
    """A policy that makes no sense. The message names the field, the value and the mend."""

    retry_helps = False


class PlanError(GovernanceError):
    """A plan that cannot be made, read or applied."""

    retry_helps = False


class PlanTamperedError(PlanError):
    """The plan's content is not what its hash says."""


class ApprovalError(PlanError, ValueError):
    """The plan, or this part of it, is not approved; nothing was touched."""


class WrongWorkspaceError(PlanError):
    """The plan or journal belongs to another workspace."""


class GuardRailError(GovernanceError):
    """The plan is larger than the guard rails allow; nothing was touched."""

    retry_helps = False


class StoppedError(GovernanceError):
    """Somebody or something stopped the work; what was done is in the journal."""

    retry_helps = False


class RefusedError(GovernanceError):
    """Studio refused something for good; everything else was done."""

    retry_helps = False


class NoEffectError(GovernanceError, StudioResponseError):
    """Studio accepted an action on a Report or a schedule, which is as it was before."""


class StorageError(GovernanceError):
    """The storage cannot be read or written."""


class JournalError(GovernanceError):
    """The journal is missing or damaged."""


ABOUT_ONE_REPORT = frozenset({400, 403, 404, 409, 410, 422, 423})
"""HTTP statuses that say something about the Report of a request. Others concern the token or the service."""


def is_refusal(error: StudioError) -> bool:
    """Whether an error concerns the one Report that was asked about, so that others can go on."""
    return isinstance(error, NoEffectError) or (isinstance(error, StudioAPIError) and error.status in ABOUT_ONE_REPORT)
