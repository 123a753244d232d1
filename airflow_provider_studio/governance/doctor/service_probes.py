# SPDX-License-Identifier: Apache-2.0
"""Probes of the service as a whole: credentials, clock, TLS and proxy, rate limit, errors, Discovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from airflow_provider_studio.client.auth import TokenKind, kind_of
from airflow_provider_studio.client.host import is_loopback
from airflow_provider_studio.client.ratelimit import Budget
from airflow_provider_studio.client.responses import rate_limit_feedback
from airflow_provider_studio.governance.doctor.findings import Fact, Finding, shown
from airflow_provider_studio.governance.doctor.observations import sampled_reports
from airflow_provider_studio.governance.doctor.survey import Survey, link_of
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY
from airflow_provider_studio.governance.text import counted, duration

_SAME_CLOCK = timedelta(minutes=1)
_HAL = "application/hal+json"


@dataclass(frozen=True)
class Access:
    """How the service was requested.

    :param host: scheme and host.
    :param host_name: the host without scheme and port.
    :param proxy: the proxy that requests went through.
    :param declared_kind: the kind of the token that the connection declares.
    :param budget: the budget of the connection.
    :param has_discovery: whether the connection has a signature token.
    """

    workspace: str
    host: str
    host_name: str
    proxy: str | None = None
    declared_kind: TokenKind | None = None
    budget: Budget = field(default_factory=Budget)
    has_discovery: bool = False


def probe_credentials(survey: Survey, access: Access) -> Finding:
    """Whether the credentials open the connection's workspace."""
    fact = Fact("connection: credentials", f"they open the workspace {access.workspace!r}")
    body = survey.body("verify")
    if body is None:
        status = survey.status("verify")
        fix = {401: "correct login and password of the connection, or create a token"}.get(
            status or 0, "check the connection's host, the token, and the workspace's plan: the API needs a paid one"
        )
        return fact.needs_a_person(survey.reason("verify", "no response"), fix)
    if body.get("workspace") != access.workspace:
        return fact.needs_a_person(f"they open {shown(body.get('workspace'))}", "correct the connection's schema")
    return fact.as_assumed()


def probe_token_kind(survey: Survey, access: Access) -> Finding:
    """Which kind of token it is."""
    declared = access.declared_kind
    fact = Fact("connection: token", f"a {declared.capitalize()} token" if declared else "a known kind")
    body = survey.body("verify")
    if body is None or "workspace" not in body:
        return fact.not_observed(survey.reason("verify", "no response"))
    named = body.get("api_key_scope")
    scope = named if isinstance(named, str) else None
    reported = kind_of(scope, link_of(body, "self"))
    observed = f"{reported.capitalize()} (api_key_scope {'is absent' if scope is None else shown(scope)})"
    if reported is TokenKind.PERSONAL and scope is None:
        return fact.needs_a_person(observed, "personal tokens ended: request a Workspace token, or make a Member token")
    if declared not in (None, reported) and scope:
        return fact.needs_a_person(observed, "correct credential_kind of the connection, or empty it")
    if scope is None:
        return fact.respected(observed, "counts it as a Member token unless the connection declares another kind")
    return fact.as_assumed(observed)


def probe_clock(survey: Survey) -> Finding:
    """Whether Studio's clock and ours agree."""
    fact = Fact("connection: clock", "Studio's Date is our time", "corrects times by the Date of each response")
    exchange = next((each for each in survey.all if each.date is not None), None)
    if exchange is None or exchange.date is None:
        return fact.respected("no response has a Date", "takes the two clocks as equal")
    offset = exchange.date - exchange.received_at
    if abs(offset) <= _SAME_CLOCK:
        return fact.as_assumed()
    ahead = "ahead" if offset > timedelta(0) else "behind"
    observed = f"{duration(abs(offset).total_seconds())} {ahead}"
    if abs(offset) > CLOCKS_DIFFER_BY:
        return fact.needs_a_person(observed, "set the clock of this host (NTP)")
    return fact.respected(observed)


def probe_tls(access: Access) -> Finding:
    """Whether requests are encrypted, and which way they take."""
    fact = Fact("connection: TLS", "https, with a certificate that this host trusts")
    if access.host.startswith("https:"):
        return fact.as_assumed()
    if is_loopback(access.host_name):
        return fact.respected("http to this machine", "allowed for an emulator only")
    return fact.needs_a_person("http", "set the host of the connection to https://…")


def probe_proxy(access: Access) -> Finding:
    """Whether a proxy stands before Studio."""
    fact = Fact("connection: proxy", "that of the environment, or none", "sends all requests through it")
    return fact.as_assumed("none" if access.proxy is None else access.proxy)


def probe_rate_limit(survey: Survey, access: Access) -> Finding:
    """Whether responses report the rate limit, and which."""
    budget = access.budget
    assumed = f"{budget.limit} per {budget.interval_seconds:g} s, in X-RateLimit headers"
    fact = Fact("limit: headers", assumed, "keeps its own count; a 429 pauses all users of the token")
    feedback = [rate_limit_feedback(each.status, each.headers, "") for each in survey.all]
    limits = {each.limit for each in feedback if each.limit is not None}
    if not limits:
        return fact.respected("no response has them")
    if limits != {budget.limit}:
        lowest = min(limits)
        return fact.respected(f"a limit of {lowest}", "follows the limit that responses report")
    if any(each.remaining == 0 and each.status < 300 for each in feedback):
        return fact.respected("X-RateLimit-Remaining is 0 on good responses", "uses a quarter of the budget meanwhile")
    without = sum(each.limit is None for each in feedback)
    return fact.respected(f"{without} of {len(feedback)} responses lack them") if without else fact.as_assumed()


def probe_refusals(survey: Survey) -> Finding:
    """Whether requests were refused because of the limit."""
    fact = Fact("limit: 429", "none")
    refused = sum(each.status == 429 for each in survey.all)
    if not refused:
        return fact.as_assumed()
    with_wait = sum("retry-after" in each.headers for each in survey.all if each.status == 429)
    fix = "find out who else uses this token, or lower rate_limit_requests of the connection"
    return fact.needs_a_person(f"{counted(refused, 'response')}, {with_wait} with Retry-After", fix)


def probe_content_type(survey: Survey) -> Finding:
    """Which content type responses have."""
    fact = Fact("responses: content type", _HAL, "reads any JSON")
    kinds = {each.headers.get("content-type", "") for each in survey.all if each.path.startswith("/api/")}
    if not kinds:
        return fact.not_observed("no response")
    odd = sorted(kinds - {_HAL})
    return fact.respected(shown(odd[0])) if odd else fact.as_assumed()


def probe_error_ids(survey: Survey) -> Finding:
    """Whether errors have an id that agrees with their status."""
    fact = Fact("responses: error ids", "the id agrees with the status", "of a refusal the id decides")
    errors = [each for each in survey.all if 400 <= each.status < 500]
    if not errors:
        return fact.not_observed("nothing was refused")
    if any(each.body is None or "id" not in each.body for each in errors):
        return fact.respected("a refusal without an id", "the status decides")
    odd = [each for each in errors if (each.body or {}).get("id") == "not_found" and each.status != 404]
    return fact.respected(f"not_found with {odd[0].status}") if odd else fact.as_assumed()


def probe_account_links(survey: Survey) -> Finding:
    """Whether the workspace links to lists of the whole workspace."""
    fact = Fact("workspace: links", "no list of all schedules", "lists the schedules of single Reports")
    body = survey.body("account")
    if body is None:
        return fact.not_observed(survey.reason("account", "not requested"))
    return fact.respected("it links to schedules") if link_of(body, "schedules") else fact.as_assumed()


def probe_discovery(survey: Survey, access: Access) -> Finding:
    """Whether the Discovery API responds."""
    fact = Fact("Discovery: access", "the Enterprise plan and a signature token", "inventories over the REST API")
    if not access.has_discovery:
        return fact.respected("the connection has no signature token")
    rows = _discovery_rows(survey, "reports")
    if rows is None:
        fix = "check the plan and discovery_* of the connection; the token ends when the admin who made it leaves"
        return fact.needs_a_person(survey.reason("discovery_reports", "no response"), fix)
    return fact.as_assumed(f"{counted(len(rows), 'Report')} on the first page")


def probe_discovery_archived(survey: Survey) -> Finding:
    """Whether Discovery lists archived Reports and datasets."""
    fact = Fact("Discovery: archived Reports", "unknown", "carries `archived` over from the last crawl")
    rows = _discovery_rows(survey, "reports")
    archived = {str(row["token"]) for row in sampled_reports(survey) if row.get("archived") is True}
    if rows is None or not archived:
        return fact.not_observed("no Discovery, or no archived Report")
    listed = archived & {str(row.get("token")) for row in rows}
    return fact.as_assumed("it lists them" if listed else "it lists none of the archived Reports that were read")


def probe_discovery_datasets(survey: Survey) -> Finding:
    """Whether Discovery lists datasets."""
    fact = Fact("Discovery: datasets", "unknown", "keeps datasets as unknown in an inventory over Discovery")
    rows, datasets = _discovery_rows(survey, "reports"), survey.rows("datasets", "reports")
    if rows is None or not datasets:
        return fact.not_observed("no Discovery, or no dataset")
    listed = {str(row.get("token")) for row in datasets} & {str(row.get("token")) for row in rows}
    return fact.as_assumed("it lists them" if listed else "it lists none of the datasets that were read")


def _discovery_rows(survey: Survey, name: str) -> list[dict[str, object]] | None:
    rows = (survey.body(f"discovery_{name}") or {}).get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def service_findings(survey: Survey, access: Access) -> Iterator[Finding]:
    """Yield the findings about the service."""
    yield probe_credentials(survey, access)
    yield probe_token_kind(survey, access)
    yield probe_clock(survey)
    yield probe_tls(access)
    yield probe_proxy(access)
    yield probe_rate_limit(survey, access)
    for probe in _SURVEY_PROBES:
        yield probe(survey)
    yield probe_discovery(survey, access)
    yield probe_discovery_archived(survey)
    yield probe_discovery_datasets(survey)


_SURVEY_PROBES: tuple[Callable[[Survey], Finding], ...] = (
    probe_refusals,
    probe_content_type,
    probe_error_ids,
    probe_account_links,
)
