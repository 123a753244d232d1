# SPDX-License-Identifier: Apache-2.0
"""Faults on demand: what goes wrong, for which requests, how often."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal

Kind = Literal["status", "html", "garbage", "truncate", "reset", "lose_response", "slow"]
KINDS = ("status", "html", "garbage", "truncate", "reset", "lose_response", "slow")


@dataclass
class Fault:
    """One kind of trouble.

    :param kind: `status` answers an error; `html` a login page; `garbage` half a JSON text; `truncate` breaks the body
        off; `reset` drops the connection before the effect; `lose_response` drops it after; `slow` waits first.
    :param method: only for this method.
    :param path: only where this regular expression is found in the path.
    :param times: how often at most; None for ever.
    :param rate: the share of matching requests that it hits.
    """

    kind: Kind
    method: str | None = None
    path: str = ""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    seconds: float = 0.0
    times: int | None = 1
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")

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
        for fault in self.active:
            hit = fault.method in (None, method) and re.search(fault.path, path) and fault.times != 0
            if hit and self._chance.random() < fault.rate:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None
