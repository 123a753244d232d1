# SPDX-License-Identifier: Apache-2.0
"""Prepare a release: `make release VERSION=0.2.0`.

Writes the version, dates the changelog's newest section, and prints the next steps. Changes nothing else: a person
reviews the diff, commits, tags and uploads. Rejects a version that is not newer than the current one, a changelog
whose newest section is not the unreleased one or is empty, and a work tree with changes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]
_VERSION = re.compile(r'^__version__ = "(?P<version>[^"]+)"$', re.MULTILINE)
_SECTION = re.compile(r"^## (?P<version>\S+) \((?P<when>[^)]+)\)$", re.MULTILINE)


class ReleaseError(ValueError):
    """The release cannot be made. The message says how to fix it."""


def release(root: Path, version: str, today: date) -> list[Path]:
    """Write version and date; return the files that were written."""
    module, changelog = root / "airflow_provider_studio" / "__init__.py", root / "CHANGELOG.md"
    code, changes = module.read_text(encoding="utf-8"), changelog.read_text(encoding="utf-8")
    current = _VERSION.search(code)
    if current is None:
        raise ReleaseError(f"{module} states no __version__.")
    sections = list(_SECTION.finditer(changes))
    if not sections or sections[0]["when"] != "unreleased":
        raise ReleaseError("The changelog's newest section must be `## <version> (unreleased)`.")
    released = any(section["version"] == current["version"] and section["when"] != "unreleased" for section in sections)
    _check(version, current["version"], released=released)
    end = sections[1].start() if len(sections) > 1 else len(changes)
    if not re.search(r"^\* ", changes[sections[0].end() : end], re.MULTILINE):
        raise ReleaseError(f"The changelog has no entry for {version}: nothing was released.")
    heading = f"## {version} ({today:%Y-%m-%d})"
    module.write_text(_VERSION.sub(f'__version__ = "{version}"', code), encoding="utf-8")
    changelog.write_text(changes[: sections[0].start()] + heading + changes[sections[0].end() :], encoding="utf-8")
    return [module, changelog]


def _check(given: str, current: str, *, released: bool) -> None:
    try:
        version = Version(given)
    except InvalidVersion:
        raise ReleaseError(f"VERSION is {given!r}; it must be a version such as 0.2.0.") from None
    if version < Version(current) or (released and version == Version(current)):
        raise ReleaseError(f"VERSION is {given}; it must come after {current}.")


def main(arguments: list[str]) -> int:
    """Prepare the release of the given version in a clean work tree."""
    if len(arguments) != 1 or not arguments[0]:
        print("VERSION is missing: make release VERSION=0.2.0", file=sys.stderr)
        return 2
    status = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    if status.stdout:
        print("The work tree has changes; commit or stash them first.", file=sys.stderr)
        return 1
    try:
        written = release(ROOT, arguments[0], datetime.now(UTC).date())
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    version = arguments[0]
    print(*(f"wrote {path.relative_to(ROOT)}" for path in written), sep="\n")
    print(f"""
Next: review `git diff`, then
  git commit --all --message "Release {version}"
  make test-all dist
  git tag --annotate v{version} --message "Release {version}" && git push --follow-tags
  and publish a GitHub release of that tag: the workflow `publish` builds, checks and uploads it.""")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
