# SPDX-License-Identifier: Apache-2.0
"""The paths of a workspace's files in storage, and the validation of names from outside; `file_names` builds the names.

No other module joins the parts of a path in storage.

Anyone with write access to storage can create any name in it, and a plan's id or path may come from a DAG parameter, an
XCom, a command line or a URL. A name is used only if the provider could have written it: a foreign folder is ignored
and logged once, and an id or a path that is not that of a plan of the workspace is an error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.storage import explained, local_path

log = logging.getLogger(__name__)

_PREFIX = "workspace="
_PLAN_ID = re.compile(r"[0-9a-f]{1,64}")
_MOST_LOGGED = 1000
_logged: set[str] = set()


class Area(StrEnum):
    """The folders of the storage root that have a folder for each workspace."""

    SNAPSHOTS = "snapshots"
    PLANS = "plans"
    JOURNALS = "journals"
    CHECKPOINTS = "checkpoints"
    USAGE = "usage"
    CLAIMS = "claims"
    HOSTS = "hosts"
    PROFILES = "profiles"


SHOWN = (Area.SNAPSHOTS, Area.PLANS, Area.JOURNALS, Area.USAGE)
"""The areas that the pages read."""


def workspace_name(workspace: str) -> str:
    """Return the name of a workspace's folder, which is the same in each area.

    :raises StudioConfigurationError: no workspace can have this name.
    """
    return f"{_PREFIX}{check_identifier('workspace', workspace)}"


def workspace_of(folder: UPath) -> str:
    """Return the workspace in the name of a folder."""
    return str(folder.name).removeprefix(_PREFIX)


def workspace_folder(storage: UPath, area: Area, workspace: str) -> UPath:
    """Return the folder of a workspace in an area of the storage root.

    :raises StudioConfigurationError: no workspace can have this name.
    """
    return storage / area.value / workspace_name(workspace)


def workspaces_in(storage: UPath, *areas: Area) -> list[str]:
    """Return the workspaces that have a folder in any of these areas of the storage root."""
    found = set()
    for area in areas:
        root = storage / area.value
        with explained("list", root):
            folders = list(root.iterdir()) if root.exists() else []
        found |= {name for folder in folders if (name := _workspace(folder)) is not None}
    return sorted(found)


def host_file(storage: UPath, workspace: str) -> UPath:
    """Return the path of the file that names the host of a workspace."""
    return workspace_folder(storage, Area.HOSTS, workspace) / file_names.HOST


def profile_file(storage: UPath, workspace: str) -> UPath:
    """Return the path of a workspace's profile."""
    return workspace_folder(storage, Area.PROFILES, workspace) / file_names.PROFILE


# Snapshots


def snapshots_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder with the snapshots of a workspace."""
    return workspace_folder(storage, Area.SNAPSHOTS, workspace)


def snapshot_reference(workspace: str, taken_at: datetime) -> str:
    """Return the path of a snapshot relative to the storage root, as plans and XComs store it."""
    return f"{Area.SNAPSHOTS.value}/{workspace_name(workspace)}/{file_names.snapshot_name(taken_at)}"


def checkpoint_folder(storage: UPath, workspace: str, inventory: str) -> UPath:
    """Return the folder with the checkpoints of an inventory.

    :param inventory: its name.
    """
    return workspace_folder(storage, Area.CHECKPOINTS, workspace) / file_names.digest(inventory)


def cross_check_storage(storage: UPath) -> UPath:
    """Return a separate storage root for inventories that are only compared with another source."""
    return storage / "cross_checks"


# Plans and journals


def is_plan_id(value: object) -> bool:
    """Whether a value has the form of a plan's id."""
    return isinstance(value, str) and _PLAN_ID.fullmatch(value) is not None


def check_plan_id(value: Any) -> str:
    """Return a value that has the form of a plan's id.

    :raises PlanError: it has not.
    """
    if not is_plan_id(value):
        raise PlanError(
            f"plan_id is {value!r}; a plan's id is hexadecimal digits, such as 36066b5db341. The audit command and the "
            "XCom of StudioPlanOperator show it."
        )
    return str(value)


def plans_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder with the plans of a workspace."""
    return workspace_folder(storage, Area.PLANS, workspace)


def plan_path(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return the path of a plan."""
    return plans_folder(storage, workspace) / file_names.plan_file(check_plan_id(plan_id))


def plan_text_path(path: UPath) -> UPath:
    """Return the path of a plan's Markdown file, which is in the same folder."""
    return path.with_name(file_names.plan_text_file(file_names.id_of_plan_file(path.name) or path.name))


def plan_paths(storage: UPath, workspace: str) -> list[UPath]:
    """Return the files whose names are those of plans; the content must confirm the name (`is_plan_of`)."""
    folder = plans_folder(storage, workspace)
    with explained("list", folder):
        files = list(folder.iterdir()) if folder.is_dir() else []
    found = []
    for path in files:
        plan_id = file_names.id_of_plan_file(path.name)
        if is_plan_id(plan_id):
            found.append(path)
        elif plan_id is not None:
            ignored(path, "no plan has this name")
    return found


def moved_plan_paths(storage: UPath, workspace: str) -> list[UPath]:
    """Return all files that may be plans of a workspace, including files that were renamed or moved to subfolders."""
    folder = plans_folder(storage, workspace)
    with explained("list", folder):
        return list(folder.rglob(file_names.plan_file("*"))) if folder.exists() else []


def is_plan_of(path: UPath, workspace: str, plan_id: str) -> bool:
    """Whether a path is that of the plan with this id in this workspace."""
    return (path.parent.name, path.name) == (workspace_name(workspace), file_names.plan_file(plan_id))


def one_off_plans_folder(storage: UPath, workspace: str, request: str) -> UPath:
    """Return the folder that records which one-off plans a task created.

    :param request: the text of the task's request.
    """
    return plans_folder(storage, workspace) / "one_off" / file_names.digest(request)


def one_off_records(storage: UPath, workspace: str, plan_id: str) -> list[UPath]:
    """Return the records that a task created a one-off plan."""
    folder = plans_folder(storage, workspace) / "one_off"
    with explained("list", folder):
        return list(folder.rglob(file_names.one_off_plan_file(check_plan_id(plan_id)))) if folder.exists() else []


def journals_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder with the journals of a workspace."""
    return workspace_folder(storage, Area.JOURNALS, workspace)


def journal_folder(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return the folder with the journal of a plan."""
    return journals_folder(storage, workspace) / file_names.journal_name(check_plan_id(plan_id))


def journals_in(storage: UPath, workspace: str) -> list[UPath]:
    """Return the folders of a workspace's journals; the plan ids in their names are not checked."""
    folder = journals_folder(storage, workspace)
    with explained("list", folder):
        folders = list(folder.iterdir()) if folder.exists() else []
    return [path for path in folders if file_names.id_of_journal(path.name) is not None]


def plan_path_from(text: str, storage: UPath, workspace: str) -> UPath:
    """Return the path of a plan from a text: an absolute path, or one relative to the storage root.

    The text must be spelled as `StudioPlanOperator` returns it. No other path is opened, so none is normalized.

    :raises PlanError: the text is not the path of a plan of this workspace in this storage.
    """
    plan_id = file_names.id_of_plan_file(text.rsplit("/", 1)[-1])
    path = plan_path(storage, workspace, str(plan_id)) if is_plan_id(plan_id) else None
    if path is None or text not in _spellings(path) or _is_linked(path, storage):
        raise PlanError(
            f"Cannot read the plan {text!r}: a plan of the workspace {workspace!r} is "
            f"{plans_folder(storage, workspace)}/{file_names.plan_file('<plan_id>')}, and not a link. Use the "
            "connection and the storage_path that the plan was created with. Nothing was touched."
        )
    return path


def workspace_of_plan(text: str) -> str:
    """Return the workspace in a text that names a plan by its path.

    :raises StudioConfigurationError: no workspace can have the name in it.
    """
    folder = text.rsplit("/", 2)[-2] if text.count("/") else ""
    return check_identifier("the workspace of the plan", folder.removeprefix(_PREFIX))


def _spellings(path: UPath) -> set[str]:
    relative = "/".join(path.path.rsplit("/", 3)[1:])
    spellings = {str(path), relative}
    if local_path(path) is not None:
        spellings |= {path.path, f"file://{path.path}"}
    return spellings


def _is_linked(path: UPath, storage: UPath) -> bool:
    """Whether a local file, or a folder between it and the storage root, is a symbolic link."""
    local, root = local_path(path), local_path(storage)
    if local is None or root is None:
        return False
    return local.resolve() != root.resolve() / local.relative_to(root)


# Usage records, claims and records of tasks


def usage_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder with a workspace's usage records; it has a subfolder for each day."""
    return workspace_folder(storage, Area.USAGE, workspace)


def usage_day_folder(storage: UPath, workspace: str, day: date) -> UPath:
    """Return the folder of a day's usage records."""
    return usage_folder(storage, workspace) / file_names.day_name(day)


def claims_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder that records which task claimed which run; it has a subfolder for each day."""
    return workspace_folder(storage, Area.CLAIMS, workspace)


def run_record_folder(storage: UPath, names: Sequence[str]) -> UPath:
    """Return the folder in which a task records its Report run for its next try.

    :param names: the ids of the DAG, the run and the task, and the map index.
    """
    return storage / "run_records" / "/".join(map(file_names.quoted_name, names))


def claim_file(day: UPath, run: str) -> UPath:
    """Return the path of the claim of a run within the folder of a day.

    :raises StudioConfigurationError: no run can have this token.
    """
    return day / check_identifier("run", run)


# The cache on the disk of the API server


def prepared_folder(cache: Path, workspace: str) -> Path:
    """Return the folder with the prepared snapshots and plans of a workspace."""
    return cache / workspace_name(workspace)


def prepared_snapshot(cache: Path, workspace: str, taken_at: datetime) -> Path:
    """Return the folder for the prepared tables of a snapshot."""
    return prepared_folder(cache, workspace) / file_names.prepared_snapshot_name(taken_at)


def prepared_plan(cache: Path, workspace: str, plan_id: str) -> Path:
    """Return the folder for the prepared tables of a plan.

    :raises PlanError: no plan can have this id.
    """
    return prepared_folder(cache, workspace) / file_names.prepared_plan_name(check_plan_id(plan_id))


def prepared_reports(snapshot: Path, plan: Path | None) -> Path:
    """Return the path for the prepared Reports of a snapshot with the verdicts of a plan."""
    return snapshot / file_names.table_file(f"reports-by-name-{'unjudged' if plan is None else plan.name}")


def ignored(path: UPath, reason: str) -> None:
    """Log once that a path in storage is ignored."""
    text = str(path)
    if text not in _logged and len(_logged) < _MOST_LOGGED:
        _logged.add(text)
        log.warning("Ignored in storage: %r: %s.", text, reason)


def _workspace(folder: UPath) -> str | None:
    if not folder.name.startswith(_PREFIX):
        return None
    try:
        return check_identifier("workspace", folder.name.removeprefix(_PREFIX))
    except StudioConfigurationError:
        ignored(folder, "no workspace can have this name")
        return None
