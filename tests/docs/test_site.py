# SPDX-License-Identifier: Apache-2.0
"""The site builds without a warning, loads nothing from other hosts, and has every page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?P<url>(?:https?:)?//[^\"' >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it with --strict."""
    folder = tmp_path_factory.mktemp("site")
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", "docs/site/mkdocs.yml"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [*argv, "--site-dir", str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_every_page_is_built_and_is_in_the_navigation(site: Path) -> None:
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {name.replace(".md", ".html") for name in pages} <= {
        str(path.relative_to(site)) for path in site.rglob("*.html")
    }
    home = (site / "index.html").read_text(encoding="utf-8")
    assert all(name.replace(".md", ".html") in home for name in pages), "the navigation names every page"


@pytest.mark.slow
def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    fetched = {
        (path.name, match["url"])
        for path in site.rglob("*.html")
        for match in _FETCHED.finditer(path.read_text(encoding="utf-8"))
        if 'rel="canonical"' not in match[0]
    }
    assert fetched == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("operators", ["StudioRunReportOperator", "StudioInventoryOperator", "StudioApplyPlanOperator", "max_actions"]),
        ("client", ["StudioClient", "list_collections", "StudioClient.iterate"]),
        ("settings", ["storage_path", "AIRFLOW__STUDIO__RATE_LIMIT_URL", "credential_kind", "studio.throttle_wait"]),
        (
            "files",
            ["reports.parquet", "history.parquet", "view_count", "next_scheduled_run", "PlanHeader", "undo-intent"],
        ),
        ("xcoms", ["StudioPlanOperator", "reports_to_archive", "UndoSummary", "subscribers_to_add", "retry_helps"]),
        ("errors", ["StudioRateLimitedError", "GuardRailError"]),
        ("tests", ["StudioTestWorkspace", "EmulatorControl"]),
    ],
)
def test_the_reference_is_generated_from_the_code(site: Path, page: str, names: list[str]) -> None:
    text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
    assert [name for name in names if name not in text] == []
