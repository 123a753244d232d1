# SPDX-License-Identifier: Apache-2.0
"""The page of the documentation that lists all quirks.

`python -m tests.contrary.page` writes docs/emulator-quirks.md from their declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_provider_studio.emulator.quirk_settings import CONFIDENCES, Quirk
from airflow_provider_studio.emulator.quirks import QUIRKS

PAGE = Path(__file__).parents[2] / "docs" / "emulator-quirks.md"
_HEAD = """\
<!-- Written by `python -m tests.contrary.page`; a test compares it with the declarations. -->
# Quirks of the emulator

No account was available to settle these facts about the service ([unverified.md](unverified.md)), so the emulator
can behave either way: `control.set_quirks(name=value)`, or all of them at random with `--contrary SEED`
([emulator.md](emulator.md#a-contrary-service)). The first setting of a quirk is its default. The letter says how
sure it is that the service behaves so:

"""


def _rows(quirk: Quirk) -> Iterator[str]:
    for number, setting in enumerate(quirk.settings):
        name, fact = (f"`{quirk.name}`", quirk.fact) if number == 0 else ("", "")
        refused = "" if setting.is_usable else " (the provider refuses to work)"
        yield f"| {name} | {fact} | `{setting.value!r}` | {setting.meaning}{refused} | {setting.confidence} |"


def page() -> str:
    """Return the page."""
    legend = [f"* **{letter}**: {meaning}" for letter, meaning in CONFIDENCES.items()]
    table = ["| quirk | what is uncertain | setting | meaning | |", "|---|---|---|---|---|"]
    table += [row for quirk in QUIRKS.values() for row in _rows(quirk)]
    return _HEAD + "\n".join([*legend, "", *table]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
