# SPDX-License-Identifier: Apache-2.0
"""Where the files of a workspace are in storage, and which names from outside are used.

Anyone who may write to storage chooses the names in it, and a plan's id or path may come from a DAG parameter, an XCom,
a command line or a URL. A name is used only if the provider could have written it: a stray folder is ignored and logged
once, and an id or a path that was given names a plan of its workspace or is an error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from upath import UPath

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.tokens import check_identifier
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.storage import explained, local_path

log = logging.getLogger(__name__)

_PREFIX = "workspace="
_PLAN_ID = re.compile(r"[0-9a-f]{1,64}")
_MOST_LOGGED = 1000
_logged: set[str] = set()


def workspace_name(workspace: str) -> str:
    """Return the name of a workspace's folder, wherever it is.

    :raises StudioConfigurationError: no workspace has such a name.
    """
    return f"{_PREFIX}{check_identifier('workspace', workspace)}"


def workspace_folder(storage: UPath, kind: str, workspace: str) -> UPath:
    """Return the folder of a workspace below a folder of the storage root, such as `snapshots`.

    :raises StudioConfigurationError: no workspace has such a name.
    """
    return storage / kind / workspace_name(workspace)


def workspaces_in(storage: UPath, kinds: Iterable[str]) -> list[str]:
    """Return the workspaces that have a folder below any of these folders of the storage root."""
    found = set()
    for kind in kinds:
        root = storage / kind
        with explained("list", root):
            folders = list(root.iterdir()) if root.exists() else []
        found |= {name for folder in folders if (name := _workspace(folder)) is not None}
    return sorted(found)


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
    return workspace_folder(storage, "plans", workspace)


def plan_path(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return where a plan is."""
    return plans_folder(storage, workspace) / f"{check_plan_id(plan_id)}.jsonl"


def journals_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the journals of a workspace are."""
    return workspace_folder(storage, "journals", workspace)


def journal_folder(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return where the journal of a plan is."""
    return journals_folder(storage, workspace) / f"plan={check_plan_id(plan_id)}"


def plan_path_from(given: str, storage: UPath, workspace: str) -> UPath:
    """Return the path of a plan that a path from outside names: absolute, or relative to the storage root.

    It must be spelled as `StudioPlanOperator` returns it. No other path is opened, so there is nothing to normalize.

    :raises PlanError: it is not the path of a plan of this workspace in this storage.
    """
    plan_id = given.rsplit("/", 1)[-1].removesuffix(".jsonl")
    path = plan_path(storage, workspace, plan_id) if is_plan_id(plan_id) else None
    if path is None or given not in _spellings(path) or _is_linked(path, storage):
        raise PlanError(
            f"Cannot read the plan {given!r}: a plan of the workspace {workspace!r} is "
            f"{plans_folder(storage, workspace)}/<plan_id>.jsonl, and no link. Use the connection and the storage_path "
            "that the plan was made with. Nothing was touched."
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


def ignored(path: UPath, reason: str) -> None:
    """Log once that something in storage is ignored."""
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
        ignored(folder, "no workspace has such a name")
        return None
