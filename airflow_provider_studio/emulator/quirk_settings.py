# SPDX-License-Identifier: Apache-2.0
"""How a quirk is declared: the uncertain fact, its possible settings, and how sure each of them is.

The declaration is the only place with these facts: the documentation, the tests of each setting and the random choice
of a contrary service are derived from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields
from functools import partial
from random import Random
from typing import Any, Literal, get_args

Confidence = Literal["F", "D", "S", "C", "I", "G"]
CONFIDENCES: dict[Confidence, str] = {
    "F": "seen in a real response",
    "D": "the vendor's documentation or API description",
    "S": "reported without a source",
    "C": "the code of another client",
    "I": "an issue or a pull request of another client",
    "G": "a guess",
}


@dataclass(frozen=True)
class Setting:
    """One possible behaviour.

    :param value: the value of the quirk.
    :param meaning: the behaviour in a few words.
    :param confidence: how sure it is that the service behaves so; see `CONFIDENCES`.
    :param is_usable: whether the provider can be used with a service that behaves so; otherwise it refuses to work.
    """

    value: Any
    meaning: str
    confidence: Confidence
    is_usable: bool = True

    def __post_init__(self) -> None:
        if self.confidence not in get_args(Confidence):
            raise ValueError(f"unknown confidence {self.confidence!r}; known: {', '.join(CONFIDENCES)}")

    @property
    def name(self) -> str:
        """The value as Python writes it."""
        return repr(self.value)


@dataclass(frozen=True)
class Quirk:
    """An uncertain fact.

    :param name: the field of `Quirks`.
    :param fact: what is uncertain.
    :param settings: the possible behaviours, the default first; of `draw`'s values only the ones worth a test each.
    :param draw: returns a random value, if there are more than `settings` lists.
    """

    name: str
    fact: str
    settings: tuple[Setting, ...]
    draw: Callable[[Random], Any] | None = None

    def choose(self, random: Random) -> Any:
        """Return a random value with which the provider can be used."""
        if self.draw is not None:
            return self.draw(random)
        return deepcopy(random.choice([setting.value for setting in self.settings if setting.is_usable]))


def quirk(fact: str, *settings: Setting, draw: Callable[[Random], Any] | None = None) -> Any:
    """Declare a field of `Quirks`; its default is the first setting."""
    declared = partial(Quirk, fact=fact, settings=settings, draw=draw)
    return field(default_factory=partial(deepcopy, settings[0].value), metadata={"quirk": declared})


def quirks_of(declaring: type) -> Iterator[Quirk]:
    """Yield the quirks that a dataclass declares.

    :raises TypeError: a field was not declared with `quirk`.
    """
    for item in fields(declaring):
        if "quirk" not in item.metadata:
            raise TypeError(f"{declaring.__name__}.{item.name} is not declared with quirk(fact, setting, …)")
        yield item.metadata["quirk"](item.name)
