# SPDX-License-Identifier: Apache-2.0
"""Where the files of a workspace are in storage, and which names from outside are used; `file_names` spells them.

No other module joins the parts of a path in storage.

Anyone who may write to storage chooses the names in it, and a plan's id or path may come from a DAG parameter, an XCom,
a command line or a URL. A name is used only if the provider could have written it: a stray folder is ignored and logged
once, and an id or a path that was given names a plan of its workspace or is an error.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

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


SHOWN = (Area.SNAPSHOTS, Area.PLANS, Area.JOURNALS, Area.USAGE)
"""What the pages show something of."""


def workspace_name(workspace: str) -> str:
    """Return the name of a workspace's folder, wherever it is.

    :raises StudioConfigurationError: no workspace has such a name.
    """
    return f"{_PREFIX}{check_identifier('workspace', workspace)}"


def workspace_of(folder: UPath) -> str:
    """Return the workspace that a folder's name tells."""
    return str(folder.name).removeprefix(_PREFIX)


def workspace_folder(storage: UPath, area: Area, workspace: str) -> UPath:
    """Return the folder of a workspace in an area of the storage root.

    :raises StudioConfigurationError: no workspace has such a name.
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


# Nights


def snapshots_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the nights of a workspace are."""
    return workspace_folder(storage, Area.SNAPSHOTS, workspace)


def snapshot_reference(workspace: str, taken_at: datetime) -> str:
    """Return a night's folder as plans and XComs name it: relative to the storage root."""
    return f"{Area.SNAPSHOTS.value}/{workspace_name(workspace)}/{file_names.snapshot_name(taken_at)}"


def checkpoint_folder(storage: UPath, workspace: str, walk: str) -> UPath:
    """Return where the progress of an inventory is kept, by the inventory's name."""
    return workspace_folder(storage, Area.CHECKPOINTS, workspace) / _digest(walk)


def cross_check_storage(storage: UPath) -> UPath:
    """Return a storage root of its own, for inventories that are only compared with another."""
    return storage / "cross_checks"


# Plans and journals


def is_plan_id(value: object) -> bool:
    """Whether a value can be the id of a plan."""
    return isinstance(value, str) and _PLAN_ID.fullmatch(value) is not None


def check_plan_id(value: Any) -> str:
    """Return the id of a plan.

    :raises PlanError: it is none.
    """
    if not is_plan_id(value):
        raise PlanError(
            f"plan_id is {value!r}; a plan's id is hexadecimal digits, such as 36066b5db341. The audit command and the "
            "XCom of StudioPlanOperator name it."
        )
    return str(value)


def plans_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the plans of a workspace are."""
    return workspace_folder(storage, Area.PLANS, workspace)


def plan_path(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return where a plan is."""
    return plans_folder(storage, workspace) / file_names.plan_file(check_plan_id(plan_id))


def plan_text_path(path: UPath) -> UPath:
    """Return where a plan in Markdown is, beside the plan."""
    return path.with_name(file_names.plan_text_file(file_names.id_of_plan_file(path.name) or path.name))


def plan_paths(storage: UPath, workspace: str) -> list[UPath]:
    """Return the files of a workspace's plans by their names, which the content must confirm (`is_plan_of`)."""
    folder = plans_folder(storage, workspace)
    with explained("list", folder):
        files = list(folder.iterdir()) if folder.exists() else []
    found = []
    for path in files:
        plan_id = file_names.id_of_plan_file(path.name)
        if is_plan_id(plan_id):
            found.append(path)
        elif plan_id is not None:
            ignored(path, "no plan has such a name")
    return found


def moved_plan_paths(storage: UPath, workspace: str) -> list[UPath]:
    """Return all files that may be a workspace's plans, with those that were renamed or moved into folders below."""
    folder = plans_folder(storage, workspace)
    with explained("list", folder):
        return list(folder.rglob(file_names.plan_file("*"))) if folder.exists() else []


def is_plan_of(path: UPath, workspace: str, plan_id: str) -> bool:
    """Whether a file is where the plan of this workspace and id belongs."""
    return (path.parent.name, path.name) == (workspace_name(workspace), file_names.plan_file(plan_id))


def one_off_plans_folder(storage: UPath, workspace: str, request: str) -> UPath:
    """Return where it is kept which plans a task made of what a person named, by the text of that request."""
    return plans_folder(storage, workspace) / "one_off" / _digest(request)


def journals_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the journals of a workspace are."""
    return workspace_folder(storage, Area.JOURNALS, workspace)


def journal_folder(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return where the journal of a plan is."""
    return journals_folder(storage, workspace) / file_names.journal_name(check_plan_id(plan_id))


def journals_in(storage: UPath, workspace: str) -> list[UPath]:
    """Return the folders of a workspace's journals; the plan's id in a name is not checked."""
    folder = journals_folder(storage, workspace)
    with explained("list", folder):
        found = list(folder.iterdir()) if folder.exists() else []
    return [one for one in found if file_names.id_of_journal(one.name) is not None]


def plan_path_from(given: str, storage: UPath, workspace: str) -> UPath:
    """Return the path of a plan that a path from outside names: absolute, or relative to the storage root.

    It must be spelled as `StudioPlanOperator` returns it. No other path is opened, so there is nothing to normalize.

    :raises PlanError: it is not the path of a plan of this workspace in this storage.
    """
    plan_id = file_names.id_of_plan_file(given.rsplit("/", 1)[-1])
    path = plan_path(storage, workspace, str(plan_id)) if is_plan_id(plan_id) else None
    if path is None or given not in _spellings(path) or _is_linked(path, storage):
        raise PlanError(
            f"Cannot read the plan {given!r}: a plan of the workspace {workspace!r} is "
            f"{plans_folder(storage, workspace)}/{file_names.plan_file('<plan_id>')}, and no link. Use the "
            "connection and the storage_path that the plan was made with. Nothing was touched."
        )
    return path


def _spellings(path: UPath) -> set[str]:
    relative = "/".join(path.path.rsplit("/", 3)[1:])
    spellings = {str(path), relative}
    if local_path(path) is not None:
        spellings |= {path.path, f"file://{path.path}"}
    return spellings


def _is_linked(path: UPath, storage: UPath) -> bool:
    """Whether a local file, or a folder below the storage root, is a symbolic link to somewhere else."""
    local, root = local_path(path), local_path(storage)
    if local is None or root is None:
        return False
    return local.resolve() != root.resolve() / local.relative_to(root)


# Usage, claims and what a task remembers


def usage_folder(storage: UPath, workspace: str) -> UPath:
    """Return the folder of a workspace's usage records; below it is one for each day."""
    return workspace_folder(storage, Area.USAGE, workspace)


def usage_day_folder(storage: UPath, workspace: str, day: date) -> UPath:
    """Return the folder of a day's usage records."""
    return usage_folder(storage, workspace) / file_names.day_name(day)


def claims_folder(storage: UPath, workspace: str) -> UPath:
    """Return where it is kept which task took which run; below it is a folder for each day."""
    return workspace_folder(storage, Area.CLAIMS, workspace)


def run_record_folder(storage: UPath, names: Sequence[str]) -> UPath:
    """Return where a task keeps what its next try must know.

    :param names: of the DAG, the run, the task and its map index.
    """
    return storage / "run_records" / "/".join(quote(name, safe="") for name in names)


# What the API server keeps on its own disk


def prepared_folder(cache: Path, workspace: str) -> Path:
    """Return the folder with all that is prepared of a workspace."""
    return cache / workspace_name(workspace)


def prepared_snapshot(cache: Path, workspace: str, night: datetime) -> Path:
    """Return where the tables of a night are, once they are made."""
    return prepared_folder(cache, workspace) / file_names.prepared_snapshot_name(night)


def prepared_plan(cache: Path, workspace: str, plan_id: str) -> Path:
    """Return where the tables of a plan are, once they are made.

    :raises PlanError: no plan has such an id.
    """
    return prepared_folder(cache, workspace) / file_names.prepared_plan_name(check_plan_id(plan_id))


def prepared_reports(night: Path, plan: Path | None) -> Path:
    """Return where a night's Reports with a plan's verdicts are, once they are made."""
    return night / file_names.table_file(f"reports-by-name-{'unjudged' if plan is None else plan.name}")


def ignored(path: UPath, reason: str) -> None:
    """Log once that something in storage is ignored."""
    text = str(path)
    if text not in _logged and len(_logged) < _MOST_LOGGED:
        _logged.add(text)
        log.warning("Ignored in storage: %r: %s.", text, reason)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _workspace(folder: UPath) -> str | None:
    if not folder.name.startswith(_PREFIX):
        return None
    try:
        return check_identifier("workspace", folder.name.removeprefix(_PREFIX))
    except StudioConfigurationError:
        ignored(folder, "no workspace has such a name")
        return None
