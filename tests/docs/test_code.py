# SPDX-License-Identifier: Apache-2.0
"""Every block of code in the documentation runs or parses, and every quoted message is in the code."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_studio.emulator import StudioEmulator
from tests.connections import connection_of
from tests.docs.pages import PAGES, ROOT, Block, blocks

RUN_ELSEWHERE = {"pandas.md", "testing.md", "tutorial.md"}
"""Pages whose Python another test runs completely; here it is compiled."""


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(*languages: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *languages)]


@pytest.fixture
def connected(emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A connection, a storage and a folder to run in."""
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator, rate_limit_requests=4000))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/studio")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", with_blocks("python"), ids=ids)
def test_python_runs(page: Path, connected: Path) -> None:
    """Blocks of a page run in sequence, each with the names that the earlier ones defined, within a DAG."""
    names: dict[str, Any] = {"__name__": "a_page"}
    with DAG(f"page_{page.stem}"):
        for block in blocks(page, "python"):
            code = compile(tree_of(block), f"{page}:{block.line}", "exec")
            if page.name not in RUN_ELSEWHERE:
                exec(code, names)


def tree_of(block: Block) -> ast.Module:
    """Parse a block; if it omits code (`...  #`), remove its assertions about that code."""
    tree = ast.parse(block.text)
    if "...  #" in block.text:
        for node in ast.walk(tree):
            if isinstance(node, ast.With):
                node.body = [statement for statement in node.body if not isinstance(statement, ast.Assert)]
    return tree


def test_every_dag_of_a_page_has_a_different_name() -> None:
    """Two of them can be copied into one folder."""
    code = [block.text for page in PAGES for block in blocks(page, "python")]
    named = [name for text in code for name in re.findall(r'DAG\(\s*"(\w+)"', text)]
    assert sorted(set(named)) == sorted(named)


@pytest.mark.parametrize("page", with_blocks("shell", "bash", "sh"), ids=ids)
def test_shell_parses_and_names_what_exists(page: Path) -> None:
    for block in blocks(page, "shell", "bash", "sh"):
        parsed = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        assert parsed.returncode == 0, f"{page}:{block.line}: {parsed.stderr}"
        for module in re.findall(r"python3? -m ((?:airflow_provider_studio|tests)[\w.]*)", block.text):
            assert importlib.util.find_spec(module), f"{page}:{block.line} names {module}"


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert {*named} <= targets, page


@pytest.mark.parametrize("page", with_blocks("json"), ids=ids)
def test_json_parses(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block.text)


def test_every_block_is_of_a_language_that_is_checked() -> None:
    known = {"", "python", "shell", "bash", "sh", "json", "toml", "ini"}
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    used = {language for page in pages for language in re.findall(r"^```(\w+)", page, re.MULTILINE)}
    assert used <= known


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_block_is_indented_where_these_tests_do_not_find_it(page: Path) -> None:
    assert re.findall(r"^[ \t]+```.*", page.read_text(encoding="utf-8"), re.MULTILINE) == []


def messages() -> list[str]:
    """Return the messages that the troubleshooting page explains."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    cells = [row.split(" | ")[0] for row in re.findall(r"^\| (`.*)$", page, re.MULTILINE)]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def texts() -> Iterator[str]:
    """Yield every text of the package as a template: `…` stands for an inserted value."""
    for path in (ROOT / "airflow_provider_studio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                yield "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="module")
def code_texts() -> list[str]:
    return list(texts())


@pytest.mark.parametrize("message", messages())
def test_a_message_of_the_troubleshooting_page_is_in_the_code(message: str, code_texts: list[str]) -> None:
    fixed = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    assert fixed, f"{message!r} has only placeholders"
    pattern = re.compile(".*?".join(fixed), re.DOTALL)
    assert any(pattern.search(text) for text in code_texts), f"the code has no message {message!r}"


def test_the_page_explains_more_than_a_few_messages() -> None:
    assert len(messages()) >= 25


def test_blocks_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# T\n\n```python\n# a.py\nx = 1\n```\n\n```shell\nls\n```\n", encoding="utf-8")
    assert blocks(page, "python", "shell") == [
        Block(page, 4, "python", "a.py", "# a.py\nx = 1\n"),
        Block(page, 9, "shell", "", "ls\n"),
    ]
