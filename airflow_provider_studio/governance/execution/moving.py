# SPDX-License-Identifier: Apache-2.0
"""Archive a Report or take it out of the archive, and know that it is so."""

from __future__ import annotations

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioAuthenticationError,
    StudioError,
    StudioForbiddenError,
    StudioNotFoundError,
)
from airflow_provider_studio.client.models import Report
from airflow_provider_studio.governance.errors import NoEffectError

_NO_EFFECT = (StudioAuthenticationError, StudioForbiddenError, StudioNotFoundError)


def move(client: StudioClient, report: str, *, archive: bool) -> tuple[Report, int | None]:
    """Archive a Report, or take it out; return it as Studio tells it afterwards, and the HTTP status.

    An answer that was lost, and an error that may have come after the effect, are held against the live Report.

    :raises StudioError: it is not where it was to be, or nobody can tell.
    """
    send = client.archive_report if archive else client.unarchive_report
    try:
        answer = send(report)
        status = client.last_status
        if answer.archived is None:
            answer = client.get_report(report)
    except _NO_EFFECT:
        raise
    except StudioError as error:
        answer = client.get_report(report)
        if answer.archived is not archive:
            raise
        status = error.status if isinstance(error, StudioAPIError) else None
    if answer.archived is not archive:
        raise NoEffectError(
            f"Report {report} was to be {'archived' if archive else 'unarchived'}, but Studio says archived="
            f"{answer.archived}. Look at it in Studio."
        )
    return answer, status
