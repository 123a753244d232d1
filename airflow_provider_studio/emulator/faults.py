# SPDX-License-Identifier: Apache-2.0
"""Faults on demand: what goes wrong, for which requests, how often."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal, get_args

Kind = Literal[
    "status",
    "html",
    "garbage",
    "truncate",
    "reset",
    "lose_response",
    "slow",
    "dribble",
    "tls_alert",
    "tls_plain_text",
    "tls_no_close_notify",
    "tls_handshake",
    "tls_untrusted",
]
HANDSHAKE_KINDS = frozenset({"tls_handshake", "tls_untrusted"})
"""They hit a connection before it has a request; `method` and `path` do not apply."""


@dataclass
class Fault:
    """One kind of trouble. Of several that fit a request the oldest hits it, so a list of them is a script.

    :param kind: `status` answers an error; `html` a login page; `garbage` half a JSON text; `truncate` breaks the body
        off; `reset` drops the connection before the effect; `lose_response` drops it after; `slow` waits before it
        answers; `dribble` sends the body bit by bit. Over TLS and after the effect, `tls_alert` sends an alert in place
        of the response, `tls_plain_text` sends text without encryption, and `tls_no_close_notify` ends the connection
        without that alert. `tls_handshake` refuses the handshake of a new connection, and `tls_untrusted` shows it a
        certificate of another authority.
    :param method: only for this method.
    :param path: only where this regular expression is found in the path.
    :param status: the status that `status` answers, and `html` with a default of 200.
    :param headers: further headers of a `status` answer, such as Retry-After.
    :param body: the body of a `status` answer; an error's by default.
    :param seconds: how long `slow` waits, and `dribble` takes in all.
    :param after: how many fitting requests pass first.
    :param times: how often at most; None for ever.
    :param rate: the share of fitting requests that it hits, by the emulator's seed.
    """

    kind: Kind
    method: str | None = None
    path: str = ""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    seconds: float = 0.0
    after: int = 0
    times: int | None = 1
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(get_args(Kind))}")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"the fault's rate {self.rate!r} is no share between 0 and 1")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"the fault's path {self.path!r} is no regular expression: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """The fault as it was asked for, with what is left of it."""
        return asdict(self)


class Faults:
    """The faults in force."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(f"{seed}/faults")
        self.active: list[Fault] = []

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, if any; it is used up by one."""
        return self._next(
            fault
            for fault in self.active
            if fault.kind not in HANDSHAKE_KINDS and fault.method in (None, method) and re.search(fault.path, path)
        )

    def next_for_handshake(self) -> Fault | None:
        """The fault that hits a new TLS connection, if any; it is used up by one."""
        return self._next(fault for fault in self.active if fault.kind in HANDSHAKE_KINDS)

    def _next(self, fitting: Iterable[Fault]) -> Fault | None:
        for fault in fitting:
            if fault.times == 0:
                continue
            if fault.after > 0:
                fault.after -= 1
            elif self._chance.random() < fault.rate:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
