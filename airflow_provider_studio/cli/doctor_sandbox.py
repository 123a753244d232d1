# SPDX-License-Identifier: Apache-2.0
"""`doctor --sandbox`: what only a change can show, on a Report that the command creates and deletes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import DEFAULT_CONN_ID, storage_root
from airflow_provider_studio.cli.command import say
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import Collection
    from airflow_provider_studio.governance.doctor.findings import Finding


def sandbox_table(options: argparse.Namespace) -> Table:
    """Do the experiments after a confirmation, and return their findings.

    :raises StudioConfigurationError: no such Collection, or nobody confirmed; nothing was changed.
    :raises GovernanceError: the new Report cannot be distinguished from an older one, or could not be removed.
    """
    from airflow_provider_studio.governance.doctor.experiments import experiment
    from airflow_provider_studio.governance.storage import utcnow

    hook = airflow_process.studio_hook(options.conn or DEFAULT_CONN_ID)
    client = hook.client
    hook.limits.check_waiver("`airflow studio doctor --sandbox` acts without an approval")
    collection = _collection(client, options.sandbox)
    say(
        f"In the Collection {collection.name!r} ({collection.token}) of the workspace {client.workspace!r} this "
        "creates one Report, creates and deletes schedules of it, archives and unarchives it, and deletes it. It runs "
        "nothing, and changes nothing else."
    )
    if not options.yes_create_and_delete_a_report:
        _confirm(collection)
    before = client.spending.requests
    findings = experiment(client, collection.token, utcnow().date())
    say(f"Sent {client.spending.requests - before} requests.")
    _add_to_profile(client, options, findings)
    return Table.of(finding.to_row() for finding in findings)


def _add_to_profile(client: StudioClient, options: argparse.Namespace, findings: list[Finding]) -> None:
    """Add what differs to the workspace profile, if there is one."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.doctor.profile import read_profile
    from airflow_provider_studio.governance.workspace_host import check_host

    try:
        storage = settings.storage(storage_root(options.storage))
        profile = read_profile(storage, client.workspace)
        if profile is not None:
            check_host(client, storage)
            profile.with_facts(findings).write(storage, client.workspace)
    except StudioError as error:
        say(f"The workspace profile was not written: {error}")


def _collection(client: StudioClient, named: str) -> Collection:
    """Return the shared Collection with a token or a name."""
    shared = [each for each in client.list_collections() if each.space_type != "private"]
    found = [each for each in shared if each.token == named] or [each for each in shared if each.name == named]
    if len(found) != 1:
        problem = f"{len(found)} Collections have this name; give the token" if found else "no shared Collection has it"
        raise StudioConfigurationError(f"--sandbox is {named!r}: {problem}. Nothing was changed.")
    return found[0]


def _confirm(collection: Collection) -> None:
    """Stop unless a person types the Collection's name, or its token if it has no name."""
    if not sys.stdin.isatty():
        raise StudioConfigurationError("Nobody can be asked here. Add --yes-create-and-delete-a-report.")
    answer = input("Type the name of the Collection to confirm: ")
    if answer.strip() != (collection.name or collection.token).strip():
        raise StudioConfigurationError("The answer is not the Collection's name. Nothing was changed.")
