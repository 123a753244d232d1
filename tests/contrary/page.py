# SPDX-License-Identifier: Apache-2.0
"""The page of the documentation that lists all quirks, with how each journey ends under each of their settings.

`python -m tests.contrary.page` writes docs/emulator-quirks.md: the declarations, and the journeys that are not on the
page yet; with `--all` it does all of them again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.quirk_settings import CONFIDENCES, Quirk, Setting
from airflow_provider_studio.emulator.quirks import QUIRKS
from tests.contrary.journeys import BEST, travel
from tests.contrary.service import NOW, Service

PAGE = Path(__file__).parents[2] / "docs" / "emulator-quirks.md"
UNUSABLE = "the provider refuses to work | | "
_HEAD = """\
<!-- Written by `python -m tests.contrary.page`; tests compare it with the declarations and do the journeys. -->
# Quirks of the emulator

No account was available to settle these facts about the service ([unverified.md](unverified.md)), so the emulator
can behave either way: `control.set_quirks(name=value)`, or all of them at random with `--contrary SEED`
([emulator.md](emulator.md#a-contrary-service)). The first setting of a quirk is its default.

The letter says how sure it is that the service behaves so:

"""
_JOURNEYS = """\
The last three columns say how the journeys of a user end under that setting alone:

* **inventory**: two nights are `complete`, compared with the emulator's state, or `refused` with a clear error.
* **plan**: a plan is made, applied and undone. What it changed is `restored`, or the undo `reports` what it could not
  restore; or there is `nothing to do`, because nothing is proven to be unused.
* **run**: a run whose start got no response is started `once`, or is `refused`.
"""
_TITLES = "| quirk | what is uncertain | setting | meaning | | inventory | plan | run |"


def rows() -> Iterator[tuple[Quirk, Setting, str]]:
    """Yield each setting with the cells that name it."""
    for quirk in QUIRKS.values():
        for number, setting in enumerate(quirk.settings):
            name, fact = (f"`{quirk.name}`", quirk.fact) if number == 0 else ("", "")
            yield quirk, setting, f"| {name} | {fact} | `{setting.name}` | {setting.meaning} | {setting.confidence} |"


def ends() -> dict[tuple[str, str], str]:
    """Return what the page says about the journeys under each setting, by the quirk and the setting's text."""
    found: dict[tuple[str, str], str] = {}
    name = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 8 and cells[2].startswith("`"):
            name = cells[0].strip("`") or name
            found[name, cells[2].strip("`")] = " | ".join(cells[5:])
    return found


def page(end_of: Callable[[Quirk, Setting], str]) -> str:
    """Return the page.

    :param end_of: returns the cells about the journeys under a setting.
    """
    legend = [f"* **{letter}**: {meaning}" for letter, meaning in CONFIDENCES.items()]
    table = [f"{cells} {end_of(quirk, setting)} |" for quirk, setting, cells in rows()]
    return _HEAD + "\n".join([*legend, "", _JOURNEYS, _TITLES, "|---|---|---|---|---|---|---|---|", *table]) + "\n"


def listed(quirk: Quirk, setting: Setting) -> str:
    """Return what the page says about the journeys under a setting; an empty text if it does not list it."""
    if not setting.is_usable:
        return UNUSABLE
    if setting is quirk.settings[0]:
        return BEST.cells()
    return ends().get((quirk.name, setting.name), "")


def _write(*, again: bool) -> None:
    """Write the page, and again after each journey, because all of them take minutes."""
    ended = {(quirk.name, setting.name): "" if again else listed(quirk, setting) for quirk, setting in by_setting()}

    def end_of(quirk: Quirk, setting: Setting) -> str:
        return ended.get((quirk.name, setting.name)) or listed(quirk, setting)

    with StudioEmulator("acme", reports=0, now=NOW) as emulator:
        service = Service(emulator)
        for quirk, setting in by_setting():
            key = quirk.name, setting.name
            if not ended[key]:
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        ended[key] = travel(service, UPath(folder), {quirk.name: setting.value}).cells()
                    except AssertionError as error:
                        print(f"{quirk.name}={setting.name} is wrong: {error}", flush=True)
                        continue
                print(f"{quirk.name}={setting.name}: {ended[key]}", flush=True)
                PAGE.write_text(page(end_of), encoding="utf-8")
    PAGE.write_text(page(end_of), encoding="utf-8")


def by_setting() -> list[tuple[Quirk, Setting]]:
    """Return every usable setting that is not a default, with its quirk."""
    return [(quirk, setting) for quirk in QUIRKS.values() for setting in quirk.settings[1:] if setting.is_usable]


if __name__ == "__main__":
    _write(again="--all" in sys.argv)
