# SPDX-License-Identifier: Apache-2.0
"""The events of the triggers, in plain JSON, and the errors that they stand for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow_provider_studio.client import errors

if TYPE_CHECKING:
    from airflow_provider_studio.client.models import ReportRun


class RunEvent(TypedDict):
    """What is told of a run in events and XComs; times in ISO 8601."""

    report: str
    run: str
    state: str | None
    created_at: str | None
    completed_at: str | None
    url: str | None
    exports: list[dict[str, Any]]


def described(report: str, run: ReportRun) -> RunEvent:
    """Return what is told of a run."""
    return RunEvent(
        report=report,
        run=run.token,
        state=run.state,
        created_at=_text(run.created_at),
        completed_at=_text(run.completed_at),
        url=run.link("web_external_url"),
        exports=[],
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def failure(error: errors.StudioError) -> dict[str, Any]:
    """Return the event of an error."""
    return {
        "event": "error",
        "kind": type(error).__name__,
        "message": str(error),
        "retry_helps": error.retry_helps,
        "retry_after_seconds": getattr(error, "retry_after_seconds", None),
    }


def run_of(event: dict[str, Any] | None, seconds: float) -> RunEvent:
    """Return what an event tells of a good run.

    :param seconds: how long was waited at most, for the words of a timeout.
    :raises StudioRunFailedError: it failed; with the reason that the trigger found.
    :raises StudioRunCancelledError: someone cancelled it.
    :raises StudioRunTimeoutError: it was not over in time.
    :raises StudioError: the trigger could not look, or the event is none that we know.
    """
    event = event or {}
    what = event.get("event")
    if what == "error":
        raise TriggerError(event)
    if what not in {"timeout", "over"}:
        raise errors.StudioResponseError(f"The trigger fired an event that nobody knows: {what!r}.")
    missing = [key for key in ("report", "run", "state") if key not in event]
    if missing:  # another version's triggerer fired it
        raise errors.StudioResponseError(f"The trigger fired an event without {', '.join(missing)}.")
    if what == "timeout":
        from airflow_provider_studio.client.run_polling import timed_out

        raise errors.StudioRunTimeoutError(timed_out(event["report"], event["run"], event["state"], seconds))
    name = f"Report run {event['run']} of Report {event['report']}"
    if event["state"] in {"succeeded", "completed"}:
        told = {key: event.get(key) for key in RunEvent.__annotations__}
        return cast("RunEvent", {**told, "exports": event.get("exports") or []})
    if event["state"] == "cancelled":
        raise errors.StudioRunCancelledError(f"{name} was cancelled in Studio.")
    raise errors.StudioRunFailedError(f"{name} ended as {event['state']}. {event.get('reason') or ''}")


class TriggerError(errors.StudioError):
    """What went wrong in a trigger, with the words and the kind that it had there.

    :param event: what `failure` made.
    """

    def __init__(self, event: dict[str, Any]) -> None:
        self.kind: str = event.get("kind") or errors.StudioError.__name__
        super().__init__(f"{self.kind}: {event.get('message') or 'the trigger gave no reason'}")
        self.retry_helps = bool(event.get("retry_helps", errors.StudioError.retry_helps))
        self.retry_after_seconds: float | None = event.get("retry_after_seconds")
