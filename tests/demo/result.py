# SPDX-License-Identifier: Apache-2.0
"""What the night did, from its plan and its journal, and how to undo it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from upath import UPath

from airflow_provider_studio.governance.layout import journal_folder
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event, parsed_name
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.text import plain

_SHOWN = 3
_NEEDED = ("AIRFLOW_HOME", "AIRFLOW__STUDIO__STORAGE_PATH")
"""The settings that a command needs to find the demo's connection and its journal."""


def finished_actions(storage: UPath, workspace: str, plan_id: str) -> int:
    """Return how many actions of a plan are done or skipped so far."""
    folder = Path(journal_folder(storage, workspace, plan_id).path)
    events = map(parsed_name, (path.name for path in folder.iterdir())) if folder.exists() else ()
    return len({event[0] for event in events if event is not None and event[1] in {Event.DONE, Event.SKIPPED}})


def archived_with_evidence(storage: UPath, workspace: str, plan_id: str) -> list[str]:
    """Return lines about the first Reports that a plan archived: name, owner, and why."""
    statuses = Audit(storage, workspace).action_statuses(plan_id)
    archived = [
        status.action
        for status in statuses
        if status.state is ActionState.DONE and status.action.kind is ActionKind.ARCHIVE_REPORT
    ]
    lines = []
    for action in archived[:_SHOWN]:
        name, owner = plain(action.report_name or "untitled"), plain(action.owner or "unknown")
        lines.append(f"{name} ({action.report}), owner {owner}")
        lines += [f"    {plain(fact.meaning, longest=200)}" for fact in action.evidence]
    if len(archived) > _SHOWN:
        lines.append(f"and {len(archived) - _SHOWN:,} more")
    return lines


def undo_command(environment: Mapping[str, str], plan_id: str) -> str:
    """Return a command that undoes a plan, to be pasted into a shell while the demo runs."""
    settings = [f"{name}={shlex.quote(environment[name])}" for name in _NEEDED]
    airflow = shlex.quote(str(Path(sys.executable).with_name("airflow")))
    return " ".join([*settings, airflow, "studio", "undo", plan_id])
