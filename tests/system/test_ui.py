# SPDX-License-Identifier: Apache-2.0
"""The page "Studio" in a real Airflow under a base path, with a real Chromium.

All tests use the same Airflow, whose nightly DAG applied a plan. `make screenshots` runs these tests to take the
documentation's screenshots.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.plugin.app import create_app
from tests.plugin.workspace import ODD_WORKSPACE
from tests.system.browser import PHONE, chromium, logged_in, needs_chromium, save_screenshot, use_theme, violations
from tests.system.conftest import BASE_PATH, NIGHTLY, Live
from tests.system.live_airflow import LiveAirflow, LiveAirflowError
from tests.system.test_nightly_governance import respond

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

pytestmark = [pytest.mark.system, needs_chromium]

CONF = {"max_actions": 200, "max_share": 0.5}


@dataclass
class Watched:
    """An Airflow whose nightly DAG ran once, and the result.

    :param report: the token of a Report that the plan archived.
    """

    airflow: LiveAirflow
    run_id: str = ""
    plan_id: str = ""
    report: str = ""
    overview_while_waiting: str = ""
    plan_while_waiting: str = ""

    def page(self, path: str) -> str:
        """Return the URL of a page of the provider outside of Airflow's frame."""
        return f"{self.airflow.url}/studio/{path}"


@pytest.fixture(scope="module")
def watched(live: Live) -> Watched:
    """The result of a run of the nightly DAG, whose plan an admin approved."""
    watched = Watched(live.airflow, live.airflow.trigger(NIGHTLY, CONF))
    option = yes_of(watched)
    watched.plan_id = live.airflow.xcom(NIGHTLY, watched.run_id, "plan")["plan_id"]
    watched.overview_while_waiting = text_of(watched, "?workspace=acme")
    watched.plan_while_waiting = text_of(watched, f"plans/{watched.plan_id}?workspace=acme")
    respond(watched, watched.run_id, option)
    assert live.finish(NIGHTLY, watched.run_id) == "success"
    watched.report = Audit(live.storage, "acme").plan(watched.plan_id).reports[0]
    return watched


def yes_of(watched: Watched) -> str:
    """Wait until the DAG asks for approval, and return the first option that approves."""
    path = f"/dags/{NIGHTLY}/dagRuns/{watched.run_id}/taskInstances/approve/-1/hitlDetails"
    deadline = time.monotonic() + 180
    while True:
        try:
            options = watched.airflow.api("GET", path)["options"]
        except LiveAirflowError:
            assert time.monotonic() < deadline, watched.airflow.task_states(NIGHTLY, watched.run_id)
            time.sleep(0.5)
        else:
            return str(next(option for option in options if option.startswith("Approve")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser, watched: Watched) -> Iterator[Page]:
    """A browser page with a logged-in admin."""
    with logged_in(browser, watched.airflow) as opened:
        yield opened


def studio(page: Page) -> FrameLocator:
    """Return the provider's page in Airflow's frame."""
    return page.frame_locator("iframe[title=Studio]")


def open_from_navigation(page: Page, watched: Watched) -> FrameLocator:
    page.goto(f"{watched.airflow.url}/")
    # The exact name: the home page also links to assets, such as studio://acme/inventory.
    page.get_by_role("link", name="Studio", exact=True).first.click()
    frame = studio(page)
    frame.get_by_role("heading", name="acme").wait_for()
    return frame


def column(frame: Any, name: str) -> list[str]:
    return [text.strip() for text in frame.locator(f"td.{name}, th.{name}[scope=row]").all_inner_texts()]


def answer_to(watched: Watched, address: str, user: str | None) -> int:
    return response_to(watched, address, user).status_code


def text_of(watched: Watched, path: str) -> str:
    """Return a page as an admin sees it."""
    return response_to(watched, watched.page(path), "admin").text


def response_to(watched: Watched, address: str, user: str | None) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    if user is not None:
        login = {"username": user, "password": watched.airflow.password}
        token = session.post(f"{watched.airflow.url}/auth/token", json=login, timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
    deadline = time.monotonic() + 120
    while (response := session.get(address, timeout=60)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(float(response.headers["Retry-After"]))  # the tables are being created
    # Airflow responds 200 with its own page to an unknown path.
    assert 'id="root"' not in response.text, address
    return response


def test_every_route_refuses_the_anonymous_and_lets_a_viewer_read(watched: Watched) -> None:
    values = {
        "{token}": "0dd000000001",
        "{plan_id}": watched.plan_id,
        "{dag_id}": NIGHTLY,
        "{task_id}": "inventory",
        "{run_id:path}": watched.run_id,
        "{name:path}": "studio.css",
    }
    table = []
    for route in create_app().routes:
        path = route.path  # type: ignore[attr-defined]
        address = path
        for placeholder, value in values.items():
            address = address.replace(placeholder, value)
        workspace = ODD_WORKSPACE if "{token}" in path else "acme"
        query = "" if "dag" in path or "static" in path else f"?workspace={workspace}"
        whole = watched.page(f"{address.lstrip('/')}{query}")
        table.append((path, *(answer_to(watched, whole, user) for user in (None, "viewer", "admin"))))
    print("\n".join(f"{path:<50}{anonymous:>6}{viewer:>6}{admin:>6}" for path, anonymous, viewer, admin in table))
    assert {row[1:] for row in table} == {(401, 200, 200)}


def test_what_waits_for_an_answer_is_shown_first_with_the_way_to_it(watched: Watched) -> None:
    answer_at = f"dags/{NIGHTLY}/runs/{quote(watched.run_id, safe='')}/tasks/approve/required_actions"
    for page in (watched.overview_while_waiting, watched.plan_while_waiting):
        assert f'href="/team/airflow/{answer_at}"' in page
        assert "without an answer it is rejected" in page
        assert "(in 20 hours)" in page
    assert re.search(r">\d+ things? needs? you<", watched.overview_while_waiting)
    deadline = time.monotonic() + 120
    while "approved by <strong>admin</strong>" not in text_of(watched, f"plans/{watched.plan_id}?workspace=acme"):
        assert time.monotonic() < deadline, "the page keeps a plan's line for some seconds"
        time.sleep(1)
    assert "waits for an answer" not in text_of(watched, "?workspace=acme")


def test_the_page_opens_from_the_navigation_and_shows_the_night(page: Page, watched: Watched) -> None:
    frame = open_from_navigation(page, watched)
    assert "The newest plan" in frame.locator("main").inner_text()
    assert frame.get_by_role("link", name=NIGHTLY).count()
    assert frame.locator(".tile canvas").count() == 6, "the charts are drawn"
    save_screenshot(page, "overview-light")


def test_reports_are_sorted_filtered_and_opened(page: Page, watched: Watched) -> None:
    frame = open_from_navigation(page, watched)
    frame.get_by_role("navigation", name="Studio").get_by_role("link", name="Reports").click()
    frame.get_by_role("link", name="Views", exact=True).click()
    frame.locator("th[aria-sort=descending]").wait_for()
    views = [int(text.replace(",", "")) for text in column(frame, "views")]
    assert views == sorted(views, reverse=True)
    save_screenshot(page, "reports-light")
    frame.get_by_label("State").select_option("archived")
    frame.get_by_role("link", name="Clear").wait_for()
    assert set(column(frame, "verdict")) == {"archived"}
    frame.get_by_label("State").select_option("")
    frame.get_by_role("link", name="Clear").wait_for(state="detached")
    frame.get_by_label("Name or token").fill("re")
    frame.get_by_label("Name or token").press("Enter")
    frame.get_by_role("link", name="Clear").wait_for()
    page.wait_for_function("() => location.href.includes('q=re')")
    names = column(frame, "name")
    assert names
    assert all("re" in name.casefold() for name in names)
    frame.locator("th.name[scope=row] a").first.click()
    frame.get_by_role("heading", name="History").wait_for()
    assert frame.get_by_role("heading", level=1).inner_text() == names[0]
    assert frame.locator("canvas").count() == 2
    save_screenshot(page, "report-light")


def test_a_plan_shows_evidence_and_status_and_links_to_its_run(page: Page, watched: Watched) -> None:
    frame = open_from_navigation(page, watched)
    frame.get_by_role("navigation", name="Studio").get_by_role("link", name="Plans").click()
    frame.get_by_role("link", name=watched.plan_id).wait_for()
    save_screenshot(page, "plans-light")
    assert "approved by admin" in frame.locator("tbody tr").first.inner_text()
    frame.get_by_role("link", name=watched.plan_id).click()
    frame.get_by_role("heading", name="Result").wait_for()
    assert frame.locator(".badge.done").count()
    assert "not viewed since" in frame.locator(".actions").inner_text()
    frame.locator("details.journal summary").first.click()
    assert "intent" in frame.locator("details.journal[open]").inner_text()
    save_screenshot(page, "plan-light")
    frame.get_by_role("link", name="Undo with the DAG studio_undo").click()
    page.wait_for_url(re.compile(rf"{BASE_PATH}/dags/studio_undo"))


def test_the_export_is_downloaded_from_inside_of_the_frame(page: Page, watched: Watched) -> None:
    frame = open_from_navigation(page, watched)
    frame.get_by_role("navigation", name="Studio").get_by_role("link", name="Reports").click()
    with page.expect_download() as download:
        frame.get_by_role("link", name="Export CSV").click()
    assert download.value.suggested_filename.startswith("studio-reports-acme-")


def test_the_budget_names_the_tasks_that_use_it(page: Page, watched: Watched) -> None:
    page.goto(watched.page("budget?workspace=acme&hours=24"))
    lines = page.get_by_role("region", name="By DAG and task").inner_text()
    for task in ("inventory", "apply"):
        assert re.search(rf"{NIGHTLY}\s+{task}\s", lines), lines
    save_screenshot(page, "budget-light")


def test_the_pages_of_a_run_and_of_a_task_have_a_tab(page: Page, watched: Watched) -> None:
    page.goto(f"{watched.airflow.url}/dags/{NIGHTLY}/runs/{watched.run_id}/plugin/studio_run")
    studio(page).get_by_role("link", name=watched.plan_id).wait_for()
    assert "inventory" in studio(page).get_by_role("region", name="By task").inner_text()
    save_screenshot(page, "run-light")
    page.goto(f"{watched.airflow.url}/dags/{NIGHTLY}/runs/{watched.run_id}/tasks/inventory/plugin/studio_task")
    studio(page).get_by_text("GET spaces", exact=True).wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_no_page_has_a_serious_violation_or_is_wider_than_the_screen(
    page: Page, watched: Watched, theme: str, width: str
) -> None:
    before = page.viewport_size
    page.goto(watched.page("budget"))
    use_theme(page, theme)
    if width == "phone":
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    try:
        found = {}
        for name, path in pages_of(page, watched).items():
            page.goto(watched.page(path))
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            found[name] = violations(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
            if width == "phone" and theme == "light" and name in {"overview", "reports"}:
                save_screenshot(page, f"{name}-phone-light")
            elif width == "desktop" and theme == "dark" and name not in {"odd-names", "odd-report", "missing"}:
                save_screenshot(page, f"{name}-dark")
        print(theme, width, {name: len(ones) for name, ones in found.items()})
        assert {name: ones for name, ones in found.items() if ones} == {}
    finally:
        page.set_viewport_size(before)  # type: ignore[arg-type]
        use_theme(page, "light")


def pages_of(page: Page, watched: Watched) -> dict[str, str]:
    """Return the URL of one page of each kind, with data, and of one that does not exist."""
    return {
        "overview": "?workspace=acme",
        "reports": "reports?workspace=acme&sort=views&desc=1",
        "odd-names": f"reports?workspace={ODD_WORKSPACE}",
        "report": f"reports/{watched.report}?workspace=acme",
        "odd-report": f"reports/0dd000000005?workspace={ODD_WORKSPACE}",
        "plans": "plans?workspace=acme",
        "plan": f"plans/{watched.plan_id}?workspace=acme",
        "budget": "budget?workspace=acme&hours=24",
        "run": f"dag-runs/{NIGHTLY}/{watched.run_id}",
        "missing": "reports/nowhere?workspace=acme",
    }


def test_the_theme_follows_airflows_own_switch_at_once(page: Page, watched: Watched) -> None:
    frame = open_from_navigation(page, watched)
    root = frame.locator("html")
    assert root.get_attribute("data-theme") == "light"
    page.evaluate("() => { const c = document.documentElement.classList; c.remove('light'); c.add('dark'); }")
    frame.locator("html[data-theme=dark]").wait_for()
    use_theme(page, "dark")
    page.reload()
    studio(page).locator("html[data-theme=dark]").wait_for()
    studio(page).locator("canvas").first.wait_for()
    save_screenshot(page, "navigation-dark")
    use_theme(page, "light")


def test_names_that_people_chose_run_nothing(page: Page, watched: Watched) -> None:
    page.goto(watched.page(f"reports?workspace={ODD_WORKSPACE}"))
    assert page.title() == f"Reports · {ODD_WORKSPACE}"
    assert page.locator("main script, main img").count() == 0
    assert "<script>document.title='owned'</script>" in page.locator("main").inner_text()


def test_the_keyboard_reaches_the_content_and_the_filters(page: Page, watched: Watched) -> None:
    page.goto(watched.page("reports?workspace=acme"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"


def test_a_viewer_reads_and_an_anonymous_user_is_sent_to_the_login(browser: Browser, watched: Watched) -> None:
    with logged_in(browser, watched.airflow, "viewer") as page:
        open_from_navigation(page, watched)
    context = browser.new_context()
    page = context.new_page()
    page.goto(watched.page(""))
    assert "You are not logged in" in page.locator("main").inner_text()
    assert "acme" not in page.content()
    context.close()
