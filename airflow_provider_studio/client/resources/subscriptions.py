# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: who gets the results of a Report or of one schedule, and in which format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase

SUBSCRIBER_LISTS = ("email_subscription_memberships", "slack_subscription_memberships")
"""The links of a subscription that lead to its subscribers."""


class Subscriptions(StudioClientBase):
    """The methods for subscriptions."""

    def list_report_subscriptions(self, report: str) -> Iterator[models.Subscription]:
        """List the subscriptions to a Report's results."""
        return self._list(f"{self._report(report)}/subscriptions", "report_subscriptions", models.Subscription)

    def list_schedule_subscriptions(self, report: str, schedule: str) -> Iterator[models.Subscription]:
        """List the subscriptions to the results of one schedule's runs."""
        path = f"{self._schedule(report, schedule)}/subscriptions"
        return self._list(path, "report_subscriptions", models.Subscription)

    def get_subscription(self, report: str, subscription: str) -> models.Subscription:
        """Read one subscription."""
        path, what = self._subscription(report, subscription), f"subscription {subscription}"
        return self._read(models.Subscription, path, what=what, token=subscription)

    def create_subscription(self, report: str, values: Mapping[str, Any]) -> models.Subscription:
        """Create a subscription; `values` have the API's names for writing, such as `csv_attachments_enabled`."""
        response = self._send("POST", f"{self._report(report)}/subscriptions", {"report_subscription": dict(values)})
        return models.Subscription.parse(response, what=f"the new subscription of Report {report}")

    def update_subscription(self, report: str, subscription: str, values: Mapping[str, Any]) -> models.Subscription:
        """Change a subscription; `values` as in `create_subscription`."""
        path, body = self._subscription(report, subscription), {"report_subscription": dict(values)}
        return self._change(models.Subscription, path, body, what=f"subscription {subscription}", token=subscription)

    def delete_subscription(self, report: str, subscription: str) -> None:
        """Delete a subscription."""
        self._send("DELETE", self._subscription(report, subscription))

    def list_subscribers(self, subscription: models.Subscription) -> dict[str, list[dict[str, Any]]]:
        """Read the subscribers of a subscription, by the link relations of `SUBSCRIBER_LISTS`.

        The paths come from the subscription's own links, because the API description has none. A link that is missing
        or leaves this workspace is not followed: its relation is not in the result, and its subscribers are unknown.
        """
        subscribers: dict[str, list[dict[str, Any]]] = {}
        for relation in SUBSCRIBER_LISTS:
            path = self._own_path(subscription.link(relation))
            if path is not None:
                subscribers[relation] = list(self._rows(path, "memberships", tokens=False))
        return subscribers

    def _subscription(self, report: str, token: str) -> str:
        return f"{self._report(report)}/subscriptions/{check_identifier('subscription', token)}"
