# SPDX-License-Identifier: Apache-2.0
"""Every quirk is declared with its settings, and a contrary service is a usable choice of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import TypeAdapter

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.contrary import contrary_service
from airflow_provider_studio.emulator.quirk_settings import Quirk, Setting, quirks_of
from airflow_provider_studio.emulator.quirks import QUIRKS, Quirks
from tests.contrary.page import PAGE, by_setting, listed, page

SEEDS = range(300)
every_quirk = pytest.mark.parametrize("quirk", QUIRKS.values(), ids=QUIRKS)


def test_the_page_lists_the_declarations() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(listed), "run: python -m tests.contrary.page"
    assert all(listed(*each) for each in by_setting()), "run: python -m tests.contrary.page"


def test_a_field_without_a_declaration_is_refused() -> None:
    @dataclass
    class Undeclared(Quirks):
        other: bool = False

    with pytest.raises(TypeError, match=r"Undeclared\.other is not declared with quirk\(fact, setting, …\)"):
        list(quirks_of(Undeclared))


def test_an_unknown_confidence_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown confidence 'X'; known: F, D, S, C, I, G"):
        Setting(True, "yes", "X")  # type: ignore[arg-type]


@every_quirk
def test_the_default_is_the_first_setting_and_all_are_valid(quirk: Quirk) -> None:
    assert getattr(Quirks(), quirk.name) == quirk.settings[0].value
    assert len(quirk.settings) > 1
    for setting in quirk.settings:
        TypeAdapter(Quirks).validate_python(asdict(Quirks(**{quirk.name: setting.value})))


def values(hint: Any) -> set[Any]:
    """The values of a type; none if they cannot be counted."""
    if hint is bool:
        return {False, True}
    if hint is NoneType:
        return {None}
    if get_origin(hint) in (Union, UnionType):
        return set().union(*(values(each) for each in get_args(hint)))
    return set(get_args(hint)) if get_origin(hint) is Literal else set()


@every_quirk
def test_every_value_of_the_type_is_a_setting(quirk: Quirk) -> None:
    listed = [setting.value for setting in quirk.settings]
    assert values(get_type_hints(Quirks)[quirk.name]) <= set(map(_hashable, listed))


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, (list, dict)) else value


def test_contrary_services_have_every_usable_setting_and_no_other() -> None:
    chosen: dict[str, set[Any]] = defaultdict(set)
    for seed in SEEDS:
        for name, value in asdict(contrary_service(seed).quirks).items():
            chosen[name].add(_hashable(value))
    for quirk in QUIRKS.values():
        usable = {_hashable(setting.value) for setting in quirk.settings if setting.is_usable}
        assert len(chosen[quirk.name]) > 1 if quirk.draw or len(usable) > 1 else chosen[quirk.name] == usable
        if quirk.draw is None:
            assert chosen[quirk.name] == usable
    assert {contrary_service(seed).tls for seed in SEEDS} == {False, True}


def test_the_same_seed_is_the_same_service() -> None:
    assert contrary_service(11) == contrary_service(11)
    assert len({contrary_service(seed).describe().partition(": ")[2] for seed in SEEDS}) > 200


@pytest.mark.parametrize("tls", [False, True])
def test_an_emulator_is_as_contrary_as_its_seed(tls: bool) -> None:
    seed = next(seed for seed in SEEDS if (chosen := contrary_service(seed)).tls is tls and chosen.quirks != Quirks())
    with StudioEmulator("acme", reports=3, contrary=seed) as emulator:
        assert emulator.url.startswith("https://" if tls else "http://")
        emulator.control.reset()
        assert emulator.control._json("POST", "quirks", {}) == asdict(contrary_service(seed).quirks)


def test_the_command_prints_what_the_seed_chose() -> None:
    seed = next(seed for seed in SEEDS if contrary_service(seed).tls)
    command = [sys.executable, "-m", "airflow_provider_studio.emulator", "--reports", "3", "--port", "0"]
    with subprocess.Popen(
        [*command, "--contrary", str(seed)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(4)]
        program.kill()
    assert "https://127.0.0.1" in lines[0]
    assert lines[3] == contrary_service(seed).describe() + "\n"
