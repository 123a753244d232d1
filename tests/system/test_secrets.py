# SPDX-License-Identifier: Apache-2.0
"""A governed night at DEBUG leaves the secrets of its connection in no file, process, response or lineage event.

The shared Airflow's connection has secrets that no text contains by chance. Tests that ran before count too.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from tests.system.conftest import EXTRAS, NIGHTLY, Live
from tests.system.live_airflow import LiveAirflowError
from tests.system.test_nightly_governance import CONF, respond

pytestmark = [pytest.mark.system, pytest.mark.slow]


def forms_of(token: str, secret: str) -> set[bytes]:
    """Return a secret as it is, in the ways it is sent, and quoted for a URL."""
    pairs = (f"{token}:{secret}", secret)
    encoded = {base64.b64encode(pair.encode()).rstrip(b"=") for pair in pairs}
    # In the middle of a longer text, the first and last characters of base64 depend on the neighbours.
    shifted = {base64.b64encode(b"x" * shift + secret.encode())[4:-4] for shift in (0, 1, 2)}
    return {secret.encode(), quote(secret, safe="").encode(), *encoded, *shifted}


def found(forms: set[bytes], content: bytes) -> bool:
    return any(form in content for form in forms)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):
                yield str(path), path.read_bytes()


def processes(live: Live) -> Iterator[tuple[str, bytes]]:
    """Yield the command line and the environment of Airflow's components and of the tasks that run now."""
    root = psutil.Process(live.keeper.pid)
    for process in [root, *root.children(recursive=True)]:
        for kind in ("cmdline", "environ"):
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                yield f"/proc/{process.pid}/{kind}", Path(f"/proc/{process.pid}/{kind}").read_bytes()


def responses(live: Live, run_id: str) -> Iterator[tuple[str, bytes]]:
    run = f"/dags/{NIGHTLY}/dagRuns/{run_id}"
    paths = ["/connections", "/connections/studio_default", "/variables", "/eventLogs?limit=1000", "/assets/events"]
    paths += ["/config", "/plugins", "/providers", "/jobs", "/ui/connections/hook_meta", run, f"{run}/taskInstances"]
    for task in live.airflow.task_states(NIGHTLY, run_id):
        paths += [f"{run}/taskInstances/{task}/{more}" for more in ("xcomEntries", "logs/1?full_content=true", "links")]
        keys = ("return_value", "plan", "shown_plan")
        paths += [f"{run}/taskInstances/{task}/xcomEntries/{key}?deserialize=false" for key in keys]
    for path in paths:
        try:
            yield path, json.dumps(live.airflow.api("GET", path)).encode()
        except LiveAirflowError as error:  # a task that did not run has no log
            yield path, str(error).encode()


def test_a_night_at_debug_leaves_no_secret_anywhere(live: Live, tmp_path: Path) -> None:
    token, secret = live.emulator.credentials()
    forms = forms_of(token, secret)
    for name in ("discovery_access_key", "discovery_access_secret"):
        forms |= forms_of(EXTRAS["discovery_token"], str(EXTRAS[name]))
    seen: dict[str, bytes] = {}
    run_id = live.airflow.trigger(NIGHTLY, CONF)
    respond(live, run_id, "Approve all")
    live.airflow.wait_for_run(NIGHTLY, run_id, timeout_seconds=300, watch=lambda _states: seen.update(processes(live)))
    plan_id = live.airflow.xcom(NIGHTLY, run_id, "apply")["plan_id"]
    done = [
        action for action in Audit(live.storage, "acme").action_statuses(plan_id) if action.state == ActionState.DONE
    ]
    assert done, "a night in which something happened"
    places = [*seen.items(), *processes(live), *responses(live, run_id), *files(live.folder)]
    places += [("emulator", live.emulator.control.save()), ("requests", repr(live.emulator.control.state()).encode())]
    assert [place for place, content in places if found(forms, content)] == []

    kinds = {
        "processes": len({place for place in seen if place.endswith("environ")}),
        "responses": sum(
            place.startswith("/") and not place.startswith(("/proc", str(live.folder))) for place, _ in places
        ),
        "files": sum(place.startswith(str(live.folder)) for place, _ in places),
        "bytes": sum(len(content) for _, content in places),
        "lineage events": (live.folder / "lineage.jsonl").exists(),
    }
    print(kinds)
    assert kinds["processes"] > 5
    assert kinds["files"] > 50
    assert b"debug" in b"".join(content for place, content in places if place.endswith(".log")).lower()
    (tmp_path / "planted").write_bytes(b"Authorization: Basic " + base64.b64encode(f"{token}:{secret}".encode()))
    assert [place for place, content in files(tmp_path) if found(forms, content)], "the search finds a planted secret"
    assert live.run("studio_undo", {"plan_id": plan_id})[0] == "success", "later tests plan the same Reports"
