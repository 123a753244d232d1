# SPDX-License-Identifier: Apache-2.0
"""A server's text in messages: printable, short, and without any form of a secret."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client.secret_scrubber import SecretScrubber

SECRET = "s3cret/with?odd&characters"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("report not found", "report not found"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("two\r\nlines\tand a tab", "two lines and a tab"),
        ("\u202edlrow\u202c \u2066x\u2069", "dlrow x"),
        ("zero\u200bwidth\ufeff\x00", "zerowidth"),
        ("a\ud800b", "ab"),
        ("café 日本 🙂", "café 日本 🙂"),
        ("x" * 20, "xxxxxxxxx…"),
        ("", ""),
    ],
)
def test_a_text_is_one_short_line_of_visible_characters(text: str, safe: str) -> None:
    assert SecretScrubber("hush-hush").shown(text, 10 if text.startswith("xx") else 30) == safe


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        "\u200b".join(SECRET),
        *(base64.b64encode(b"x" * before + SECRET.encode() + b"y" * 5).decode() for before in range(4)),
        base64.b64encode(f"token:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_each_form_of_a_secret_is_replaced(form: str) -> None:
    text = SecretScrubber("", SECRET).shown(f"before {form} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "***" in text
    assert len(text) < len("before *** after") + 16, "what is left are characters of its neighbors"


@given(
    secret=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=12), before=st.integers(0, 2000)
)
def test_no_cut_leaves_a_part_of_a_secret(secret: str, before: int) -> None:
    filler = "\x1b" if "." in secret else "."
    assert secret[:12] not in SecretScrubber(secret).shown(filler * before + secret, 1_000)
