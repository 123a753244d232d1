# SPDX-License-Identifier: Apache-2.0
"""The distribution's Chromium, for tests of Airflow's UI; nothing is downloaded for it."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.system.live_airflow import LiveAirflow

_NAMES = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE = next(filter(None, map(shutil.which, _NAMES)), None)
SCREENSHOTS = os.environ.get("STUDIO_SCREENSHOTS")
"""The folder in which `make screenshots` saves screenshots; without it none are taken."""
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
_MAX_BYTES = 200_000

needs_chromium = pytest.mark.skipif(
    EXECUTABLE is None, reason=f"SKIPPED LOUDLY: none of {', '.join(_NAMES)} is in the PATH to test the UI with"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run headless Chromium."""
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=quiet)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def logged_in(browser: Browser, airflow: LiveAirflow, user: str = "admin") -> Iterator[Page]:
    """Log in with the form, and yield a page that fails on errors of scripts or the content security policy."""
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: _record_policy_error(message, errors))
    page.goto(f"{airflow.url}/auth/login/")
    page.get_by_label("Username").or_(page.locator("input[name=username]")).first.fill(user)
    page.locator("input[name=password]").fill(airflow.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/auth/login" not in url)
    page.wait_for_load_state("networkidle")
    try:
        yield page
        assert errors == []
    finally:
        context.close()


def _record_policy_error(message: Any, errors: list[str]) -> None:
    if "Content Security Policy" in message.text:
        errors.append(message.text)


def use_theme(page: Page, theme: str) -> None:
    """Select light or dark, like Airflow's switch."""
    page.evaluate("theme => localStorage.setItem('theme', theme)", theme)


def violations(page: Page) -> list[str]:
    """Return axe-core's serious and critical findings on the page, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{violation['impact']} {violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def save_screenshot(page: Page, name: str) -> None:
    """Save a screenshot that is small enough for the repository, if `make screenshots` runs."""
    if not SCREENSHOTS:
        return
    from PIL import Image

    page.wait_for_timeout(400)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64):
        content = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
        if content.tell() < _MAX_BYTES:  # codespell:ignore tell
            break
    folder = Path(SCREENSHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(content.getvalue())
