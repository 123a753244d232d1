# SPDX-License-Identifier: Apache-2.0
"""`doctor`: examine the connection, the deployment and the service, with GET requests only."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import DEFAULT_CONN_ID, storage_root
from airflow_provider_studio.cli.command import command, say
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioConnectionError, StudioError

if TYPE_CHECKING:
    from airflow_provider_studio.governance.doctor.examination import Examination
    from airflow_provider_studio.governance.doctor.findings import Finding
    from airflow_provider_studio.hooks.studio import StudioHook

NEEDS_A_PERSON = 3
"""The exit status if a finding needs a person."""


@command
def run(options: argparse.Namespace) -> Table:
    """Return the findings, or with `--show` the workspace profile."""
    if options.show:
        return _profile_table(options)
    if options.sandbox is not None:
        from airflow_provider_studio.cli.doctor_sandbox import sandbox_table

        return sandbox_table(options)
    hook, findings = _connection(options.conn or DEFAULT_CONN_ID)
    findings += _deployment()
    if hook is not None:
        findings += _storage(hook, options)
        examination, unreachable = _examine(hook)
        findings += unreachable if examination is None else examination.findings
        if examination is not None:
            _save_profile(hook, options, examination)
            _record(hook, options.record, examination)
    return _table(findings)


def _table(findings: list[Finding]) -> Table:
    from airflow_provider_studio.governance.doctor.findings import Severity, need_a_person

    for finding in findings:
        if finding.severity is Severity.NEEDS_A_PERSON:
            say(f"Needs a person: {finding.fact}: {finding.observed}. {finding.consequence}.")
    return Table.of(
        (finding.to_row() for finding in findings), failed=need_a_person(findings), failed_status=NEEDS_A_PERSON
    )


def _profile_table(options: argparse.Namespace) -> Table:
    """Return the profile of the connection's workspace, or of the only workspace with a profile in storage."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.doctor.profile import read_profile
    from airflow_provider_studio.governance.errors import GovernanceError
    from airflow_provider_studio.governance.layout import Area, workspaces_in

    storage = settings.storage(storage_root(options.storage))
    known = workspaces_in(storage, Area.PROFILES)
    workspace = known[0] if options.conn is None and len(known) == 1 else None
    workspace = workspace or airflow_process.studio_client(options.conn or DEFAULT_CONN_ID).workspace
    profile = read_profile(storage, workspace)
    if profile is None:
        raise GovernanceError(
            f"{storage} has no profile of the workspace {workspace!r}. `airflow studio doctor` writes one."
        )
    return Table.of(profile.to_rows())


def _save_profile(hook: StudioHook, options: argparse.Namespace, examination: Examination) -> None:
    """Write the workspace profile, if the credentials open the workspace."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.doctor.profile import new_profile, read_profile
    from airflow_provider_studio.governance.storage import utcnow
    from airflow_provider_studio.governance.workspace_host import check_host

    client, survey = hook.client, examination.survey
    if (survey.body("verify") or {}).get("workspace") != client.workspace:
        return
    try:
        storage = settings.storage(storage_root(options.storage))
        check_host(client, storage)
        previous = read_profile(storage, client.workspace)
        profile = new_profile(survey, examination.findings, previous, utcnow())
        profile.write(storage, client.workspace)
    except StudioError as error:
        say(f"The workspace profile was not written: {error}")
        return
    say(f"Wrote the workspace profile, which `--show` prints. Facts that are not as assumed: {len(profile.facts)}.")
    for caution in sorted(profile.cautions):
        say(f"From the next inventory on: {caution.text}.")


def _record(hook: StudioHook, file: str | None, examination: Examination) -> None:
    """Write the redacted responses.

    :raises StudioConfigurationError: the file cannot be written.
    """
    from airflow_provider_studio import __version__
    from airflow_provider_studio.governance.doctor.cassette import cassette_lines, write_cassette
    from airflow_provider_studio.governance.doctor.redaction import Redactor

    if file is None:
        return
    client = hook.client
    lines = cassette_lines(examination.survey, client.workspace, Redactor(client.host), __version__)
    try:
        write_cassette(Path(file).expanduser(), lines)
    except OSError as error:
        raise StudioConfigurationError(f"--record {file} cannot be written: {error.strerror}.") from None
    say(f"Wrote the redacted responses to {file}. Read it before you share it.")


def _connection(conn_id: str) -> tuple[StudioHook | None, list[Finding]]:
    """Return the hook of the connection if its fields are usable, and the finding about them."""
    from airflow_provider_studio.governance.doctor.findings import Fact

    fact = Fact("connection: fields", "complete and usable")
    try:
        hook = airflow_process.studio_hook(conn_id)
        client = hook.client
        _ = hook.limits, hook.discovery_client if hook.has_discovery else None
    except StudioConfigurationError as error:
        return None, [fact.needs_a_person(str(error), "correct the connection")]
    return hook, [fact.as_assumed(f"{conn_id}: {client.host}, workspace {client.workspace}")]


def _deployment() -> list[Finding]:
    from airflow_provider_studio.cli.doctor_deployment import deployment_findings

    return _guarded("deployment", deployment_findings)


def _storage(hook: StudioHook, options: argparse.Namespace) -> list[Finding]:
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.doctor.storage_checks import storage_findings

    def findings() -> Iterator[Finding]:
        yield from storage_findings(settings.storage(storage_root(options.storage)), hook.client.workspace)

    return _guarded("storage", findings)


def _guarded(what: str, findings: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return findings until an error of the provider, which is the last of them."""
    from airflow_provider_studio.governance.doctor.findings import Fact

    found: list[Finding] = []
    try:
        for finding in findings():
            found.append(finding)  # noqa: PERF402  those before an error count
    except StudioError as error:
        found.append(Fact(f"{what}: settings", "usable").needs_a_person(str(error), "correct them"))
    return found


def _examine(hook: StudioHook) -> tuple[Examination | None, list[Finding]]:
    """Send the requests; return the result, or the finding that the service cannot be reached."""
    from airflow_provider_studio.governance.doctor.examination import examine
    from airflow_provider_studio.governance.doctor.findings import Fact
    from airflow_provider_studio.governance.doctor.survey import MOST_REQUESTS

    client, discovery = hook.client, hook.discovery_client if hook.has_discovery else None
    say(
        f"Sends at most {MOST_REQUESTS} requests to {client.host}, all of them GET, within the budget of the token; "
        "one that fails is repeated. Nothing in Studio is changed."
    )
    try:
        examination = examine(client, discovery)
    except StudioConnectionError as error:
        fact = Fact("connection: reachable", f"{client.host} responds")
        return None, [fact.needs_a_person(str(error), "check host, network, proxy and certificates")]
    say(f"Sent {examination.requests} requests.")
    return examination, []
