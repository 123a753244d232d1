# SPDX-License-Identifier: Apache-2.0
"""What the people who operate Airflow permit a client, beside what its token may do."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_studio.client.errors import StudioCapabilityError


@dataclass(frozen=True)
class Permissions:
    """What a client may do that no plan, approval or backup guards.

    :param changes_by_request: whether `StudioClient.request` may send anything but a GET.
    :param purges: whether stored results may be deleted, by a method or by `request`.
    """

    changes_by_request: bool = True
    purges: bool = False

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
        if path.endswith("/purge"):
            self.check_purge(f"{method} {path}")

    def check_purge(self, what: str) -> None:
        """Check a deletion of stored results.

        :param what: what would be purged, as the subject of a sentence.
        :raises StudioCapabilityError: it is not permitted, which is the default.
        """
        if not self.purges:
            raise StudioCapabilityError(
                f"{what} was not purged: results cannot be restored, and this deployment does not permit it. Those "
                "who operate this Airflow permit it with allow_purges = True in [studio], without "
                "approval_required; a script passes permissions=lambda: Permissions(purges=True) to StudioClient."
            )
