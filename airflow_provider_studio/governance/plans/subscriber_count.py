# SPDX-License-Identifier: Apache-2.0
"""The number of people and Slack channels that get a Report's results, which the API can count but not restore."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioBadRequestError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import Subscription
from airflow_provider_studio.client.resources.subscriptions import SUBSCRIBER_LISTS

log = logging.getLogger(__name__)

_UNREADABLE = (StudioBadRequestError, StudioForbiddenError, StudioNotFoundError, StudioResponseError)


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None if one of the numbers is unknown."""
    known = list(counts)
    return None if None in known else sum(filter(None, known))


def count_subscribers(client: StudioClient, report: str, listed: int | None) -> int | None:
    """Return the number of subscribers of a Report; None if it is unknown.

    The Report's schedules count people. If they count none, the Report's subscriptions are read with one request, and
    of each without people its Slack channels with two more: the schedules' number may be missing, or too old.

    :param listed: the total of the Report's schedules; None if Studio did not return it.
    :raises StudioError: the service failed, or the token is not valid.
    """
    if listed:
        return listed
    try:
        return total(_subscribers(client, subscription) for subscription in client.list_report_subscriptions(report))
    except _UNREADABLE as error:
        log.warning("The subscriptions of Report %s cannot be read: %s", report, error)
        return listed


def _subscribers(client: StudioClient, subscription: Subscription) -> int | None:
    if subscription.email_subscriber_count:
        return subscription.email_subscriber_count
    try:
        lists = client.list_subscribers(subscription)
    except _UNREADABLE as error:
        log.warning("The subscribers of a subscription cannot be read: %s", error)
        return None
    return total(len(lists[relation]) if relation in lists else None for relation in SUBSCRIBER_LISTS)
