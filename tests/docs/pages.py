# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda path: str(path.relative_to(ROOT)),
)
_BLOCK = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# (?P<name>\S+\.(?:py|sh))\n")


@dataclass(frozen=True)
class Block:
    """One block of code.

    :param line: the line of the page at which its text begins.
    :param name: the file that its first line names, or an empty text.
    """

    page: Path
    line: int
    language: str
    name: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return a page's blocks of these languages, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        if match["language"] in languages:
            file_name = _FILE_NAME.match(match["text"])
            line = text.count("\n", 0, match.start("text")) + 1
            found.append(Block(page, line, match["language"], file_name["name"] if file_name else "", match["text"]))
    return found
