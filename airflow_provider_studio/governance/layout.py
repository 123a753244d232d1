# SPDX-License-Identifier: Apache-2.0
"""Where plans and journals are in storage, and what the id of a plan may be.

The only place that makes a path of a plan's id. An id or a path from outside (a DAG parameter, an XCom, a command line,
a URL) names a plan of its workspace or raises an error: it never reaches any other file.
"""

from __future__ import annotations

import re
from typing import Any

from upath import UPath

from airflow_provider_studio.client.tokens import check_identifier
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.storage import local_path

_PLAN_ID = re.compile(r"[0-9a-f]{1,64}")


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
    return storage / "plans" / f"workspace={check_identifier('workspace', workspace)}"


def plan_path(storage: UPath, workspace: str, plan_id: str) -> UPath:
    """Return where a plan is."""
    return plans_folder(storage, workspace) / f"{check_plan_id(plan_id)}.jsonl"


def journals_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the journals of a workspace are."""
    return storage / "journals" / f"workspace={check_identifier('workspace', workspace)}"


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
