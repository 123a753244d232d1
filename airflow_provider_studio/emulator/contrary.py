# SPDX-License-Identifier: Apache-2.0
"""A contrary service: one of the many that the known facts allow, chosen by a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from airflow_provider_studio.emulator.limits import MODELS
from airflow_provider_studio.emulator.quirks import QUIRKS, Quirks

_SHARES = (0.1, 0.3, 0.6, 1.0)


@dataclass(frozen=True)
class ContraryService:
    """How a service behaves that is as contrary as its seed says.

    :param quirks: a usable setting of every quirk.
    :param tls: whether it serves HTTPS.
    :param limit: settings of `Limits.configure` that are not known of the real service.
    """

    seed: int
    quirks: Quirks
    tls: bool
    limit: dict[str, Any]

    def describe(self) -> str:
        """Return the settings that are not the default, in one line."""
        default = Quirks()
        changed = [name for name in QUIRKS if getattr(self.quirks, name) != getattr(default, name)]
        settings = [f"{name}={getattr(self.quirks, name)!r}" for name in changed]
        settings += [f"tls={self.tls}", *(f"limit.{name}={value!r}" for name, value in self.limit.items())]
        return f"contrary seed {self.seed}: {', '.join(settings)}"


def contrary_service(seed: int) -> ContraryService:
    """Return the service of a seed.

    A share of the quirks, itself random, is drawn from all usable settings; the others keep their default, because a
    service that is odd in every way hides what a single oddity breaks. Each choice has its own random generator: a new
    quirk does not change those of the others.
    """
    share = Random(f"{seed}/share").choice(_SHARES)
    drawn = {}
    for quirk in QUIRKS.values():
        random = Random(f"{seed}/{quirk.name}")
        if random.random() < share:
            drawn[quirk.name] = quirk.choose(random)
    limit = {
        "model": Random(f"{seed}/limit model").choice(sorted(MODELS)),
        "per": Random(f"{seed}/limit per").choice(["token", "username"]),
        "headers": Random(f"{seed}/limit headers").random() < 0.7,
        "retry_after": Random(f"{seed}/limit retry_after").random() < 0.5,
    }
    return ContraryService(seed, Quirks(**drawn), Random(f"{seed}/tls").random() < 0.3, limit)
