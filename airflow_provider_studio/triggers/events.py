# SPDX-License-Identifier: Apache-2.0
"""The events of the triggers, in plain JSON, and the errors that they represent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, cast

from airflow_provider_studio.client import errors
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.client.run_messages import NamedRun, runtime

if TYPE_CHECKING:
    from airflow_provider_studio.client.models import ReportRun


class RunEvent(TypedDict):
    """A run in events and XComs; times in ISO 8601."""

    report: str
    run: str
    state: str | None
    created_at: str | None
    completed_at: str | None
    url: str | None
    exports: list[dict[str, Any]]


class DatasetRunEvent(TypedDict):
    """The run of a dataset in XComs; times in ISO 8601."""

    dataset: str
    run: str
    state: str | None
    created_at: str | None
    completed_at: str | None
    url: str | None


def dataset_run_of(run: RunEvent) -> DatasetRunEvent:
    """Return the run of a dataset as it is in XComs."""
    return DatasetRunEvent(
        dataset=run["report"],
        run=run["run"],
        state=run["state"],
        created_at=run["created_at"],
        completed_at=run["completed_at"],
        url=run["url"],
    )


def described(report: str, run: ReportRun) -> RunEvent:
    """Return a run as it is in events and XComs."""
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


def _named(event: dict[str, Any]) -> NamedRun:
    begun, ended = (_time(event.get(key)) for key in ("created_at", "completed_at"))
    noun = Runnable(event.get("kind") or Runnable.REPORT).noun
    return NamedRun(event["report"], event["run"], event.get("name"), event.get("url"), runtime(begun, ended), noun)


def success_of(run: RunEvent, name: str | None = None, kind: Runnable = Runnable.REPORT) -> str:
    """Return the message of a successful run: the Report, the runtime and the URL.

    :param name: the Report's name.
    :param kind: what has the run.
    """
    return _named({**run, "name": name, "kind": kind}).succeeded(run["state"])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def run_of(event: dict[str, Any] | None, seconds: float) -> RunEvent:
    """Return the successful run that an event reports.

    :param seconds: the timeout of the wait, for the message of a timeout.
    :raises StudioRunFailedError: the run failed; with the reason that the trigger found.
    :raises StudioRunCancelledError: someone cancelled the run.
    :raises StudioRunTimeoutError: the run was not over in time.
    :raises StudioError: the trigger could not poll, or the event is unknown.
    """
    event = event or {}
    kind = event.get("event")
    if kind == "error":
        raise TriggerError(event)
    if kind not in {"timeout", "over"}:
        raise errors.StudioResponseError(f"The trigger fired an unknown event: {kind!r}.")
    missing = [key for key in ("report", "run", "state") if key not in event]
    if missing:  # another version's triggerer fired it
        raise errors.StudioResponseError(f"The trigger fired an event without {', '.join(missing)}.")
    if kind == "timeout":
        raise errors.StudioRunTimeoutError(_named(event).timed_out(event["state"], seconds))
    if event["state"] in {"succeeded", "completed"}:
        run = {key: event.get(key) for key in RunEvent.__annotations__}
        return cast("RunEvent", {**run, "exports": event.get("exports") or []})
    if event["state"] == "cancelled":
        raise errors.StudioRunCancelledError(_named(event).cancelled())
    raise errors.StudioRunFailedError(_named(event).failed(event["state"], event.get("reason") or ""))


def is_fresh(event: dict[str, Any] | None) -> bool:
    """Return whether an event reports that a Report is fresh; False if time ran out.

    :raises StudioError: the trigger could not poll, or the event is unknown.
    """
    match (event or {}).get("event"):
        case "fresh":
            return True
        case "timeout":
            return False
        case "error":
            raise TriggerError(event or {})
        case other:
            raise errors.StudioResponseError(f"The trigger fired an unknown event: {other!r}.")


class TriggerError(errors.StudioError):
    """An error that was raised in a trigger, with its message and its class name there.

    :param event: an event of `failure`.
    """

    def __init__(self, event: dict[str, Any]) -> None:
        self.kind: str = event.get("kind") or errors.StudioError.__name__
        super().__init__(f"{self.kind}: {event.get('message') or 'the trigger gave no reason'}")
        self.retry_helps = bool(event.get("retry_helps", errors.StudioError.retry_helps))
        self.retry_after_seconds: float | None = event.get("retry_after_seconds")
