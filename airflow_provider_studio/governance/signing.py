# SPDX-License-Identifier: Apache-2.0
"""A keyed hash of plans and journal events, so that write access to storage is not enough to plant one.

The key is passed in. Without one, nothing is signed or verified. That a file was deleted is not detected.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SIGNATURE = "signature"
"""The field with the signature, in a plan's header and in an event."""
_PURPOSE = b"airflow-provider-studio: plans and journals, 1"


class SignatureStatus(StrEnum):
    """What is known about who wrote a record."""

    VALID = "valid"
    """A process with the deployment's key wrote it."""
    UNSIGNED = "unsigned"
    """It has no signature: it was written without a key, by an earlier version, or by somebody else."""
    UNVERIFIED = "unverified"
    """It has a signature, but this process has no key."""
    INVALID = "invalid"
    """It was changed, or written with another key."""


@dataclass(frozen=True)
class Signer:
    """Signs records, and verifies their signatures.

    :param keys: the first one signs, any verifies, so that keys can be rotated; none for a deployment without a key.
    :param accepts_unsigned: whether records without a signature count although there is a key.
    """

    keys: Sequence[bytes] = field(default=(), repr=False)
    accepts_unsigned: bool = False

    @classmethod
    def of(cls, secrets: Sequence[str], *, accepts_unsigned: bool = False) -> Signer:
        """Return a signer whose keys are derived from secrets, which serve other purposes too."""
        keys = tuple(hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest() for secret in secrets if secret)
        return cls(keys, accepts_unsigned)

    def sign(self, record: Mapping[str, Any]) -> str | None:
        """Return the signature of a JSON record; None without a key."""
        return _signature(self.keys[0], record) if self.keys else None

    def signed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a JSON record with its signature; unchanged without a key."""
        signature = self.sign(record)
        return dict(record) if signature is None else {**record, SIGNATURE: signature}

    def status(self, record: Mapping[str, Any]) -> SignatureStatus:
        """Verify a JSON record that may have a signature."""
        signature = record.get(SIGNATURE)
        if not signature:
            return SignatureStatus.UNSIGNED
        if not self.keys:
            return SignatureStatus.UNVERIFIED
        is_valid = any(hmac.compare_digest(_signature(key, record), str(signature)) for key in self.keys)
        return SignatureStatus.VALID if is_valid else SignatureStatus.INVALID

    def refusal(self, status: SignatureStatus) -> str | None:
        """Return why a record of this status must not be acted on, as the end of a sentence; None if it may be."""
        if status is SignatureStatus.INVALID:
            return (
                "has an invalid signature: somebody changed it, or its writer has another key. All hosts need the same "
                "[core] fernet_key, or the same [studio] signing_key"
            )
        if status is SignatureStatus.UNSIGNED and self.keys and not self.accepts_unsigned:
            return (
                "is unsigned, but this deployment signs: somebody else wrote it, or an earlier version did. If you "
                "know that it is right, set [studio] accept_unsigned = True for the time that you need"
            )
        return None


UNSIGNED = Signer()
"""The signer of a deployment without a key."""


def _signature(key: bytes, record: Mapping[str, Any]) -> str:
    unsigned = {name: value for name, value in record.items() if name != SIGNATURE}
    text = json.dumps(unsigned, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
