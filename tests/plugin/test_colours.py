# SPDX-License-Identifier: Apache-2.0
"""The states of actions differ also without red and green."""

from __future__ import annotations

import itertools
import re

import pytest

from airflow_provider_studio.plugin.rendering import HERE

# The matrices of Machado, Oliveira and Fernandes (2009) for dichromats, on linear RGB.
SIGHTS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}
CSS = (HERE / "static" / "studio.css").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r"\.dot\.(\w+)(?:, \.dot\.\w+)? \{ background: (#\w{6}); \}", CSS))


def lab(colour: str, sight: str) -> tuple[float, float, float]:
    """Return a colour in CIE L*a*b* as someone sees it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    seen = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in SIGHTS[sight]]
    red, green, blue = (min(1.0, max(0.0, part)) for part in seen)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("sight", SIGHTS)
def test_no_two_states_look_the_same(sight: str) -> None:
    assert set(COLOURS) == {"done", "skipped", "failed", "undone", "interrupted"}
    differences = {
        (one, other): sum(
            (a - b) ** 2 for a, b in zip(lab(COLOURS[one], sight), lab(COLOURS[other], sight), strict=True)
        )
        ** 0.5
        for one, other in itertools.combinations(COLOURS, 2)
    }
    assert {pair: round(value) for pair, value in differences.items() if value < 30} == {}
