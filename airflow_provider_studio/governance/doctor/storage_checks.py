# SPDX-License-Identifier: Apache-2.0
"""Checks of the storage: files can be written, also on condition, and others of this host cannot read them.

What is written is removed again.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from upath import UPath

from airflow_provider_studio.governance.doctor.findings import Fact, Finding
from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.layout import profile_file
from airflow_provider_studio.governance.storage import has_conditional_writes, local_path


def storage_findings(storage: UPath, workspace: str) -> Iterator[Finding]:
    """Yield the findings about the storage of a workspace."""
    writable = Fact("storage: writable", "files can be written, read and removed")
    conditional = Fact(
        "storage: conditional writes",
        "a file is created only if it does not exist",
        "two applies of one plan at once could both begin: run one at a time, or use S3, GCS or a disk",
    )
    try:
        is_conditional = has_conditional_writes(profile_file(storage, workspace).parent)
    except StorageError as error:
        yield writable.needs_a_person(str(error), "correct [studio] storage_path, or the permissions of this process")
        yield conditional.not_observed("the storage is not writable")
        return
    yield writable.as_assumed()
    if is_conditional:
        yield conditional.as_assumed()
    else:
        yield conditional.needs_a_person("it is replaced", conditional.if_different)
    yield permissions_finding(storage)


def permissions_finding(storage: UPath) -> Finding:
    """Return the finding about who else on this host may read or write the storage root."""
    fact = Fact("storage: permissions", "only its user, or a group, may read it")
    local = local_path(storage)
    if local is None:
        return fact.not_observed("an object store: its own policies decide")
    mode = local.stat().st_mode
    fix = "run: chmod -R o-rwx on the storage root"
    if mode & stat.S_IWOTH:
        return fact.needs_a_person("everyone on this host may write", fix)
    if mode & (stat.S_IROTH | stat.S_IXOTH):
        return fact.respected("everyone on this host may open it", f"new folders below are private; {fix}")
    return fact.as_assumed()
