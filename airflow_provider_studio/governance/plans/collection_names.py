# SPDX-License-Identifier: Apache-2.0
"""The names of Collections, which a Report's response does not have: each is read once, and only if it matters."""

from __future__ import annotations

import threading

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioAPIError
from airflow_provider_studio.governance.errors import is_refusal
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits


class CollectionNames:
    """The names of the Collections that a deployment may protect by name.

    :param limits: without protected Collections, nothing is read.
    """

    def __init__(self, client: StudioClient, limits: DeploymentLimits) -> None:
        self._client = client
        self._is_needed = bool(limits.protected_collections)
        self._names: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def of(self, collection: str | None) -> str | None:
        """Return the name of a Collection; None if it is unknown or not needed.

        :raises StudioError: the service failed, or the token is not valid.
        """
        if collection is None or not self._is_needed:
            return None
        with self._lock:
            if collection not in self._names:
                self._names[collection] = self._read(collection)
            return self._names[collection]

    def _read(self, collection: str) -> str | None:
        try:
            return self._client.get_collection(collection).name
        except StudioAPIError as error:
            if not is_refusal(error):
                raise
            return None
