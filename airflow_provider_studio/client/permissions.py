# SPDX-License-Identifier: Apache-2.0
"""What the people who operate Airflow permit a client, beside what its token may do."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_studio.client.errors import StudioCapabilityError


@dataclass(frozen=True)
class Permissions:
    """What a client may do that no plan, approval or backup guards.

    :param changes_by_request: whether `StudioClient.request` may send anything but a GET.
    """

    changes_by_request: bool = True

    def check_request(self, method: str, path: str) -> None:
        """Check a request that a caller wrote.

        :raises StudioCapabilityError: it changes something, and the deployment permits only GET.
        """
        if method != "GET" and not self.changes_by_request:
            raise StudioCapabilityError(
                f"{method} {path} was not sent: this deployment permits only GET here, because read_only_requests or "
                "approval_required is set in [studio] or in the connection's extra. Use the operator or the client's "
                "method for it, or ask the people who operate this Airflow."
            )
