# SPDX-License-Identifier: Apache-2.0
"""Examine a service: send the survey's requests and return the findings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.discovery import DiscoveryClient
from airflow_provider_studio.client.ratelimit import Budget
from airflow_provider_studio.governance.doctor.findings import Finding
from airflow_provider_studio.governance.doctor.listing_probes import listing_findings
from airflow_provider_studio.governance.doctor.resource_probes import resource_findings
from airflow_provider_studio.governance.doctor.schedule_probes import schedule_findings
from airflow_provider_studio.governance.doctor.service_probes import Access, service_findings
from airflow_provider_studio.governance.doctor.survey import MOST_REQUESTS, Survey, Surveyor, client_reader

OF_DISCOVERY = 2
"""The number of requests to the Discovery API."""


@dataclass(frozen=True)
class Examination:
    """The result: responses, findings, and how many requests were sent."""

    survey: Survey
    findings: list[Finding]
    requests: int


def examine(
    client: StudioClient, discovery: DiscoveryClient | None = None, *, budget: Budget | None = None
) -> Examination:
    """Send the requests and return the findings.

    :raises StudioConnectionError: the service cannot be reached.
    """
    before = client.spending.requests
    most = MOST_REQUESTS - (OF_DISCOVERY if discovery is not None else 0)
    surveyor = Surveyor(client.workspace, client_reader(client, most))
    survey = surveyor.all()
    if discovery is not None:
        surveyor.discovery(discovery)
    access = Access(
        client.workspace,
        client.host,
        urlsplit(client.host).hostname or "",
        client.proxy,
        client.declared_kind,
        budget or Budget(),
        has_discovery=discovery is not None,
    )
    sent = client.spending.requests - before
    sent += 0 if discovery is None else discovery.spending.requests
    return Examination(survey, findings_of(survey, access), sent)


def findings_of(survey: Survey, access: Access) -> list[Finding]:
    """Return the findings of a survey."""
    return [
        *service_findings(survey, access),
        *listing_findings(survey),
        *resource_findings(survey),
        *schedule_findings(survey),
    ]
