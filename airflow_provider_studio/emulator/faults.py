# SPDX-License-Identifier: Apache-2.0
"""Injected faults: what goes wrong, for which requests, how often."""

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
    "empty",
    "byte_order_mark",
    "not_utf8",
    "duplicate_keys",
    "nan",
    "infinity",
    "huge_number",
    "deep_json",
    "nested_json",
    "long_message",
    "endless",
    "gzip_bomb",
    "drip",
    "small_objects",
    "truncate",
    "reset",
    "lose_response",
    "no_effect",
    "status_after_effect",
    "mix_up",
    "slow",
    "dribble",
    "tls_alert",
    "tls_plain_text",
    "tls_no_close_notify",
    "tls_handshake",
    "tls_untrusted",
]
HANDSHAKE_KINDS = frozenset({"tls_handshake", "tls_untrusted"})
"""They apply to a connection before it has a request; `method` and `path` are ignored."""


@dataclass
class Fault:
    """One injected fault. If several match a request, the oldest applies, so a list of faults is a script.

    :param kind: `status` responds with an error, `html` with a login page; the kinds of
        `hostile_bodies.UNREADABLE_BODIES` with a body that is no JSON object or not only one; `long_message` with an
        error of 5 MB that echoes the credentials; `endless` and `drip` with a body without an end, fast and slow;
        `gzip_bomb` with 1 GB in 1 MB; `small_objects` with 15 MB of tiny objects. `truncate` cuts the body off; `reset`
        drops the connection before the effect, `lose_response` after it; `no_effect` responds as usual without the
        effect, `status_after_effect` with an error after it; `mix_up` responds as to a GET of another path, like a
        cache that confuses two requests; `slow` waits before the response; `dribble` sends the body slowly. Over TLS
        and after the effect, `tls_alert` sends an alert instead of the response, `tls_plain_text` sends text without
        encryption, and `tls_no_close_notify` ends the connection without that alert. `tls_handshake` refuses the
        handshake of a new connection, and `tls_untrusted` presents a certificate of another authority.
    :param method: only for this method.
    :param path: only for paths in which this regular expression is found.
    :param status: the status of a `status`, `status_after_effect` or `long_message` response (500 by default), and of
        `html` (200 by default).
    :param other_path: the path whose response `mix_up` returns.
    :param headers: further headers of a `status` or `status_after_effect` response, such as Retry-After.
    :param body: the body of such a response; an error by default.
    :param seconds: how long `slow` waits, how long `dribble` takes in total, and the time between two bytes of `drip`.
    :param after: how many matching requests pass first.
    :param times: how often it applies at most; None is unlimited.
    :param rate: the share of matching requests that it applies to, drawn from the emulator's seed.
    """

    kind: Kind
    method: str | None = None
    path: str = ""
    status: int | None = None
    other_path: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    seconds: float = 0.0
    after: int = 0
    times: int | None = 1
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(get_args(Kind))}")
        if (self.kind == "mix_up") is (self.other_path is None):
            raise ValueError(f"other_path is {self.other_path!r}; `mix_up` needs it, and only that")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"the fault's rate {self.rate!r} is not a number from 0 to 1")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"the fault's path {self.path!r} is not a regular expression: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Return its settings; `after` and `times` count down."""
        return asdict(self)


class Faults:
    """The active faults."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}/faults")
        self.active: list[Fault] = []

    def next_for(self, method: str, path: str) -> Fault | None:
        """Return the fault that applies to this request, if any, and count it."""
        return self._next(
            fault
            for fault in self.active
            if fault.kind not in HANDSHAKE_KINDS and fault.method in (None, method) and re.search(fault.path, path)
        )

    def next_for_handshake(self) -> Fault | None:
        """Return the fault that applies to a new TLS connection, if any, and count it."""
        return self._next(fault for fault in self.active if fault.kind in HANDSHAKE_KINDS)

    def _next(self, matching: Iterable[Fault]) -> Fault | None:
        for fault in matching:
            if fault.times == 0:
                continue
            if fault.after > 0:
                fault.after -= 1
            elif self._random.random() < fault.rate:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
