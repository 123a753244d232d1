# SPDX-License-Identifier: Apache-2.0
"""The results of an apply and of an undo in one sentence, for the log of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_studio.governance.text import counted

if TYPE_CHECKING:
    from airflow_provider_studio.governance.execution.apply import ApplySummary
    from airflow_provider_studio.governance.execution.undo import UndoSummary


def apply_in_words(summary: ApplySummary) -> str:
    """Return what an apply did, without what did not occur."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(summary.skipped.items()))
    done = [
        _part("archived", summary.archived, "Report"),
        _part("unarchived", summary.unarchived, "Report"),
        _part("deleted", summary.schedules_deleted, "schedule"),
        _part("skipped", summary.skipped.total(), "action") + f" ({reasons})" if reasons else "",
        _part("did not repeat", summary.already_done, "action"),
        f"failed with {counted(len(summary.failures), 'action')}" if summary.failures else "",
    ]
    return _sentence(done, summary.requests_spent, summary.stopped)


def undo_in_words(summary: UndoSummary) -> str:
    """Return what an undo did, without what did not occur."""
    done = [
        _part("unarchived", summary.unarchived, "Report"),
        _part("archived", summary.archived_again, "Report") + " again" if summary.archived_again else "",
        _part("recreated", len(summary.schedules_recreated), "schedule"),
        _part("did not repeat", summary.already, "action"),
        f"failed with {counted(len(summary.failures), 'action')}" if summary.failures else "",
        _part("did not try", len(summary.not_tried), "action"),
    ]
    return _sentence(done, summary.requests_spent, summary.stopped)


def _part(verb: str, number: int, thing: str) -> str:
    return f"{verb} {counted(number, thing)}" if number else ""


def _sentence(parts: list[str], requests: int, stopped: str | None) -> str:
    done = ", ".join(filter(None, parts)) or "changed nothing"
    return f"{done}; {counted(requests, 'request')}{f'; stopped: {stopped}' if stopped else ''}"
