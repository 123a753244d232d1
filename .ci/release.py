# SPDX-License-Identifier: Apache-2.0
"""Turn what is unreleased into a release: `make release VERSION=0.2.0`.

Writes the version and dates the changelog's newest section, and tells what to do next. Changes nothing else: a person
looks at the diff, commits, tags and uploads. Refuses a version that does not come after the present one, a changelog
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
    """The release cannot be made. The message says what to mend."""


def release(root: Path, wanted: str, today: date) -> list[Path]:
    """Write version and date; return the files that were written."""
    module, changelog = root / "airflow_provider_studio" / "__init__.py", root / "CHANGELOG.md"
    code, changes = module.read_text(encoding="utf-8"), changelog.read_text(encoding="utf-8")
    present = _VERSION.search(code)
    if present is None:
        raise ReleaseError(f"{module} states no __version__.")
    sections = list(_SECTION.finditer(changes))
    if not sections or sections[0]["when"] != "unreleased":
        raise ReleaseError("The changelog's newest section must be `## <version> (unreleased)`.")
    released = any(one["version"] == present["version"] and one["when"] != "unreleased" for one in sections)
    _check(wanted, present["version"], released=released)
    end = sections[1].start() if len(sections) > 1 else len(changes)
    if not re.search(r"^\* ", changes[sections[0].end() : end], re.MULTILINE):
        raise ReleaseError(f"The changelog has no entry for {wanted}: nothing was released.")
    heading = f"## {wanted} ({today:%Y-%m-%d})"
    module.write_text(_VERSION.sub(f'__version__ = "{wanted}"', code), encoding="utf-8")
    changelog.write_text(changes[: sections[0].start()] + heading + changes[sections[0].end() :], encoding="utf-8")
    return [module, changelog]


def _check(wanted: str, present: str, *, released: bool) -> None:
    try:
        version = Version(wanted)
    except InvalidVersion:
        raise ReleaseError(f"VERSION is {wanted!r}; it must be a version such as 0.2.0.") from None
    if version < Version(present) or (released and version == Version(present)):
        raise ReleaseError(f"VERSION is {wanted}; it must come after {present}.")


def main(arguments: list[str]) -> int:
    """Make the release of the one argument in a clean work tree."""
    if len(arguments) != 1 or not arguments[0]:
        print("Which version? make release VERSION=0.2.0", file=sys.stderr)
        return 2
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    if changed.stdout:
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
Next: look at `git diff`, then
  git commit --all --message "Release {version}"
  make test-all dist
  git tag --annotate v{version} --message "Release {version}" && git push --follow-tags
  and publish a GitHub release of that tag: the workflow `publish` builds it again, checks it and uploads it.""")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
