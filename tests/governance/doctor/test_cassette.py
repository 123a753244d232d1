# SPDX-License-Identifier: Apache-2.0
"""A cassette: no original text survives, and the emulator's replay of it gives the same findings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client.discovery import SignatureToken
from airflow_provider_studio.client.models import RunState
from airflow_provider_studio.client.schedule_values import Frequency
from airflow_provider_studio.client.time_zones import ZONES
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.__main__ import main
from airflow_provider_studio.emulator.control_client import EmulatorControl
from airflow_provider_studio.emulator.replay import Replay
from airflow_provider_studio.governance.doctor.cassette import cassette_lines, write_cassette
from airflow_provider_studio.governance.doctor.examination import examine
from airflow_provider_studio.governance.doctor.redaction import STUDIO, Redactor
from airflow_provider_studio.governance.doctor.survey import MOST_REQUESTS
from tests.conftest import client_of, slow
from tests.governance.doctor.surveys import emulated, examined
from tests.governance.doctor.test_probes import SERVICES
from tests.governance.inventory.test_discovery_sources import discovery_client

HOST = "https://app.mode.com"
API_WORDS = {
    *map(str, RunState), *map(str, Frequency), *ZONES, "Report", "DatasetReport", "custom", "private", "community",
    "active", "workspace", "member", "select", "view", "edit", "restricted", "none",
}  # fmt: skip
"""Enumerations of the API that a workspace's state has."""


def texts(value: Any, *, with_keys: bool) -> Iterator[str]:
    """Yield all texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, with_keys=with_keys)
    elif isinstance(value, dict):
        for key, item in value.items():
            if with_keys:
                yield key
            yield from texts(item, with_keys=with_keys)


def originals(control: EmulatorControl) -> set[str]:
    """Return every text of at least four characters in an emulator's state that is no word of the API."""
    state = json.loads(control.save())["world"]
    found = set(texts({name: value for name, value in state.items() if name != "quirks"}, with_keys=False))
    found |= {key for name in ("reports", "collections", "people", "schedules") for key in state[name]}
    found |= {key for schedule in state["schedules"].values() for key in schedule["params"]}
    return {text for text in found if len(text) >= 4 and text not in API_WORDS}


def record(quirks: dict[str, Any], redactor: Redactor | None = None) -> list[str]:
    examination, emulator = examined(**quirks), emulated(**quirks)
    return list(cassette_lines(examination.survey, "acme", redactor or Redactor(emulator.url), "0.1.0"))


@pytest.mark.parametrize("quirks", [{}, *slow(SERVICES[0])], ids=["usual", "contrary"])
def test_no_original_text_survives(quirks: dict[str, Any]) -> None:
    lines, emulator = record(quirks), emulated(**quirks)
    served = "\n".join(json.dumps(each.body, ensure_ascii=False) for each in examined(**quirks).survey.all)
    found, recorded = originals(emulator.control), "\n".join(lines)
    seen = {text for text in found if json.dumps(text, ensure_ascii=False)[1:-1] in served}
    assert len(seen) > 150, "the responses had these originals"
    assert [text for text in sorted(found) if json.dumps(text, ensure_ascii=False)[1:-1] in recorded] == []
    assert not re.search(r"acme|127\.0\.0\.1|app\.mode\.com|SELECT|EMEA", recorded)


@pytest.mark.parametrize("quirks", [SERVICES[0], *slow({}, *SERVICES[1:3])], ids=["A", "usual", "B", "C"])
def test_a_replay_gives_the_same_findings(quirks: dict[str, Any], tmp_path: Path) -> None:
    write_cassette(tmp_path / "recorded.jsonl", iter(record(quirks)))
    with StudioEmulator(replay=tmp_path / "recorded.jsonl") as replayed, client_of(replayed) as client:
        assert replayed.workspace != "acme"
        again = examine(client)
    differs = {"connection: credentials", "connection: clock"}
    before = [found for found in examined(**quirks).findings if found.fact not in differs]
    assert [found for found in again.findings if found.fact not in differs] == before
    assert again.requests == examined(**quirks).requests


def test_one_original_has_one_replacement_in_values_paths_and_links() -> None:
    redactor = Redactor(HOST, weeks=100)
    body = redactor.body(
        {
            "token": "0a1b2c3d4e5f",
            "name": "ada",
            "id": 2_900_001,
            "created_at": "2026-06-01T03:00:00.250Z",
            "edited_at": "2026-06-03T03:00:00+00:00",
            "view_count": 49,
            "query_preview": "SELECT * FROM customers",
            "_links": {
                "self": {"href": f"{HOST}/api/acme/reports/0a1b2c3d4e5f?embed[report_runs]=1&param_city=Rome"},
                "creator": {"href": "/api/ada"},
                "report": {"href": "/api/acme/reports{/id}", "templated": True},
                "web": {"href": "https://ada:secret@other.test:99/acme/x"},
            },
            "parameters": {"customer": "Jane Doe", "value": 17, "nested": [{"Jane": "ada"}]},
        }
    )
    assert body is not None
    links, ada = body["_links"], body["name"]
    assert links["creator"]["href"] == f"/api/{ada}"
    path, _, query = links["self"]["href"].partition("?")
    workspace = path.split("/")[-3]
    assert path == f"{STUDIO}/api/{workspace}/reports/{body['token']}"
    assert query.startswith("embed[report_runs]=1&name-")
    assert links["report"] == {"href": f"/api/{workspace}/reports{{/id}}", "templated": True}
    assert links["web"]["href"].startswith("https://host-1.example/")
    assert re.fullmatch(r"[0-9a-f]{12}", body["token"])
    assert (body["view_count"], type(body["id"])) == (49, int)
    assert (body["created_at"], body["edited_at"]) == ("2024-07-01T03:00:00.250Z", "2024-07-03T03:00:00+00:00")
    assert redactor.path("/api/acme/reports/0a1b2c3d4e5f") == path.removeprefix(STUDIO)
    assert redactor.query({"filter": "created_at.gt.2026-06-01T03:00:00.250Z"}) == {
        "filter": "created_at.gt.2024-07-01T03:00:00.250Z"
    }
    assert not re.search(r"ada|Jane|customer|secret|other|Rome|city|SELECT|acme|0a1b2c", json.dumps(body))


_TEXT = st.text(min_size=4, max_size=12).map(lambda text: f"Zq{text}")
_INNER = st.recursive(_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
    _TEXT | st.sampled_from(["params", "value", "type", "href", "state", "time_zone"]), inner, max_size=2))  # fmt: skip


@given(st.dictionaries(_TEXT | st.sampled_from(["_links", "_forms", "_embedded", "parameters", "odd"]), _INNER))
def test_an_unknown_text_is_replaced_wherever_it_is(body: dict[str, Any]) -> None:
    redactor = Redactor(HOST)
    redacted = redactor.body(body)
    assert "Zq" not in json.dumps(redacted, ensure_ascii=False)
    assert json.dumps(redactor.body(body)) == json.dumps(redacted), "the same again"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "workspace": "a"}\n{"path": 5}'])
def test_a_file_that_is_no_cassette_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(ValueError, match="cassette"):
        StudioEmulator(replay=tmp_path / "file")


def test_responses_of_discovery_are_recorded_and_replayed(tmp_path: Path) -> None:
    emulator = emulated()
    with client_of(emulator) as client:
        recorded = examine(client, discovery_client(emulator))
    access = next(found for found in recorded.findings if found.fact == "Discovery: access")
    assert (access.severity, access.observed) == ("as assumed", "100 Reports on the first page")
    assert recorded.requests == emulator.control.requests_sent() - 1 <= MOST_REQUESTS, "one request created the token"
    write_cassette(tmp_path / "r", cassette_lines(recorded.survey, "acme", Redactor(emulator.url), "0.1.0"))
    assert "Crowd" not in (tmp_path / "r").read_text(encoding="utf-8")
    extra = Replay(tmp_path / "r").extra()
    signature = SignatureToken(**{name.removeprefix("discovery_"): value for name, value in extra.items()})
    with StudioEmulator(replay=tmp_path / "r") as replayed, client_of(replayed) as client:
        again = examine(client, discovery_client(replayed, signature))
    differs = {"connection: credentials", "connection: clock"}
    assert [found for found in again.findings if found.fact not in differs] == [
        found for found in recorded.findings if found.fact not in differs
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replay", "nowhere"], "--replay nowhere cannot be read: No such file or directory"),
        (["--replay", "x", "--contrary", "1"], "leave out --restore and --contrary"),
        (["--replay", __file__], "this is no cassette: line 1 is no JSON object"),
    ],
)
def test_an_unusable_replay_is_refused(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["emulator", *arguments])
    monkeypatch.setattr("gc.disable", lambda: None)
    with pytest.raises(SystemExit):
        main()
    assert message in capsys.readouterr().err
