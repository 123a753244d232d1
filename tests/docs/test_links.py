# SPDX-License-Identifier: Apache-2.0
"""Links and pictures of the sources work for a reader of the repository."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.pages import ROOT

SOURCES = sorted(
    path
    for pattern in ("*.md", ".github/**/*.md", "docs/**/*.md", "airflow_provider_studio/**/*.md")
    for path in ROOT.glob(pattern)
)


def tokens(page: Path) -> list[Token]:
    """Return a page's Markdown as a flat list of tokens."""
    parsed = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [flat for token in parsed for flat in (token, *(token.children or ()))]


def targets(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures."""
    found = (token.attrGet("href") or token.attrGet("src") for token in tokens(page))
    return [str(target) for target in found if target]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of a page; a repeated heading gets a number."""
    flat, seen = tokens(page), dict[str, int]()
    found = set()
    for position, token in enumerate(flat):
        if token.type == "heading_open":
            words = "".join(child.content for child in flat[position + 1].children or ())
            slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
            seen[slug] = seen.get(slug, 0) + 1
    return frozenset(found)


@cache
def tracked() -> frozenset[Path]:
    """Return the files of a clone; outside a clone (an unpacked sdist) all existing files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return frozenset(path for path in ROOT.rglob("*") if path.is_file())
    return frozenset(ROOT / name for name in listed.stdout.split("\0") if name)


def problem(page: Path, target: str) -> str | None:
    """Return what is wrong with a link, or None."""
    parts = urlsplit(target)
    if parts.scheme:
        return None if parts.scheme in {"https", "mailto"} else f"{target} is neither https nor mailto"
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not (path in tracked() or any(path in file.parents for file in tracked())):
        return f"{target} leads to no file of the repository"
    if parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path):
        return f"{target} names a heading that {path.name} does not have"
    return None


@pytest.mark.parametrize("page", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_source_works(page: Path) -> None:
    assert [wrong for target in targets(page) if (wrong := problem(page, target))] == []


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("reference/settings.md", "leads to no file"),
        ("README.md#no-such-heading", "names a heading"),
        ("http://insecure.example", "neither https nor mailto"),
        ("README.md", None),
        ("docs", None),
    ],
)
def test_a_dead_link_is_found(target: str, wrong: str | None) -> None:
    found = problem(ROOT / "README.md", target)
    assert found is None if wrong is None else wrong in (found or "")
