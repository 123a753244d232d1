# SPDX-License-Identifier: Apache-2.0
"""The three kinds of API token, their limitations, and credentials.

An operation that a token's kind may not do is refused here, before a request is sent.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_studio.client.errors import StudioCapabilityError, StudioConfigurationError
from airflow_provider_studio.client.host import DEFAULT_HOST, base_url

log = logging.getLogger(__name__)

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class TokenKind(StrEnum):
    """The kind of a token: whose rights it has."""

    WORKSPACE = "workspace"
    """Created by an admin; has an admin's rights in the whole workspace."""
    MEMBER = "member"
    """Created by one member; has that member's rights."""
    PERSONAL = "personal"
    """The old kind; its support ended on 2025-02-28."""


class Operation(StrEnum):
    """Operations that some kinds of token may not do, worded for an error message."""

    CLONE_REPORT_RUN = "clone a Report run"
    CREATE_INVITE = "create an invite"
    READ_AUDIT_LOG = "read the audit log"


_REFUSED = {
    Operation.CLONE_REPORT_RUN: frozenset({TokenKind.WORKSPACE, TokenKind.MEMBER}),
    Operation.CREATE_INVITE: frozenset({TokenKind.WORKSPACE, TokenKind.MEMBER}),
    Operation.READ_AUDIT_LOG: frozenset({TokenKind.MEMBER, TokenKind.PERSONAL}),
}
_ALTERNATIVES = {
    Operation.CLONE_REPORT_RUN: "Duplicate the Report in Studio's own interface instead.",
    Operation.CREATE_INVITE: "Invite the person in Studio under Workspace Settings > People instead.",
    Operation.READ_AUDIT_LOG: "Use a Workspace token, which an admin creates, instead.",
}


def require(kind: TokenKind, operation: Operation) -> None:
    """Raise if a token of this kind may not do an operation.

    Source: Studio's API reference on token limitations and on audit logs.

    :raises StudioCapabilityError: names the kind, the operation and the alternative.
    """
    if kind in _REFUSED[operation]:
        raise StudioCapabilityError(
            f"A {kind.value.capitalize()} token may not {operation.value}. {_ALTERNATIVES[operation]}"
        )


def is_identifier(value: object) -> bool:
    """Whether a value is usable in a path as a name or token in Studio."""
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def check_identifier(field_name: str, value: str) -> str:
    """Return `value` if it is usable in a path as a name or token in Studio.

    :raises StudioConfigurationError: any other value, before it reaches a URL.
    """
    if not is_identifier(value):
        raise StudioConfigurationError(
            f"{field_name} is {value!r}; it must be a Studio name or token: letters, digits, '-', '_' and '.', "
            "as in the URL of its page."
        )
    return value


@dataclass(frozen=True)
class Credentials:
    """The credentials of a workspace.

    :param workspace: the workspace's user name, as in `https://app.mode.com/<workspace>`.
    :param token: the public half of the credential.
    :param secret: the private half; never shown.
    :param host: scheme and host of Studio, in any spelling; plain http only for a host on this machine.
    :param kind: the token's kind, if it is known; otherwise it is read with one request.
    :raises StudioConfigurationError: an empty or malformed field.
    """

    workspace: str
    token: str
    secret: str = field(repr=False)
    host: str = DEFAULT_HOST
    kind: TokenKind | None = None

    def __post_init__(self) -> None:
        for name, fix in (
            ("workspace", "the name in https://app.mode.com/<workspace>"),
            ("token", "the token that Studio shows under API Keys"),
            ("secret", "the secret that Studio showed once when the token was made"),
        ):
            if not getattr(self, name):
                raise StudioConfigurationError(f"{name} is empty; set it to {fix}.")
        check_identifier("workspace", self.workspace)
        object.__setattr__(self, "host", base_url(self.host))
        if self.kind is TokenKind.PERSONAL:
            log.warning(
                "This connection uses a personal token, whose support ended on 2025-02-28. "
                "Request a Workspace token from an admin, or create a Member token."
            )

    @property
    def budget_key(self) -> str:
        """The name of the token's budget: a hash of host and token, which does not reveal the token."""
        return hashlib.sha256(f"{self.host}\n{self.token}".encode()).hexdigest()


def kind_of(scope: str | None, self_href: str | None) -> TokenKind:
    """Return the token kind in a response of `/verify`.

    `api_key_scope` distinguishes a Member key from a Workspace key. Without it, an API key (its own link leads to
    `api_keys`) counts as the kind with fewer rights, and any other token is personal: its response links to the
    account. Source: one real response for a personal token, client code for the scopes; no scope but `member` was
    observed.
    """
    if scope:
        return TokenKind.MEMBER if "member" in scope.lower() else TokenKind.WORKSPACE
    return TokenKind.MEMBER if "/api_keys/" in (self_href or "") else TokenKind.PERSONAL
