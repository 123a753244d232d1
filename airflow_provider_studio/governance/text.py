# SPDX-License-Identifier: Apache-2.0
"""Formatting of text: numbers in words, and names that other people chose, neutralized for each output format.

Anyone who may name a Report, a schedule or a Collection writes into an approval, a chat, an e-mail, a spreadsheet and a
terminal. There a name is one line of text: no markup, link, mention, formula or control sequence.

| format | function |
|---|---|
| Markdown (approval, plan file) | `markdown` |
| HTML of e-mails; Jinja escapes that of pages | `html_text` |
| Slack's mrkdwn | `slack` |
| plain text (messages, logs) | `plain` |
| a table on a terminal | `table_lines` |
| JSON on a terminal | `json_text` |
| CSV | `csv_pieces`, `csv_cell` |

**Links.** Programs make links of URLs, domains and e-mail addresses in plain text, after all escapes are resolved. An
invisible word joiner in these prevents that. A text with letters of a right-to-left script is isolated, so that it does
not reorder its surroundings.

The only links are those to pages of Reports: `page_address` accepts a URL without characters that any format reads as
markup, and only with the token of the Report that the text names. `TextFormat` has text and links of each format.

**CSV.** Names come from people, and a spreadsheet runs a cell as a formula by its first characters. The rules, for
every CSV that the provider writes:

* The file begins with a byte order mark, by which Excel detects UTF-8.
* Every text is in quotes. That protects its separators only if the spreadsheet splits at commas: one that splits at
  semicolons, as in most of Europe, does not find a quote at the beginning of each cell.
* A text is therefore split at `,`, `;`, tab and line break. Each part that a spreadsheet could compute gets a `'`
  before it: a part whose first character is `=`, `+`, `-`, `@`, `|` or `%` in any form (Excel accepts full-width forms
  too). White space, invisible characters and quotes before that character are ignored. A text that begins with a tab
  or a line break gets a `'` too.
* Control characters other than tabs and line breaks become spaces: a CSV may be printed on a terminal.
* Numbers, times, booleans and None are not texts. A negative number stays as it is; None is empty and has no quotes, so
  that an unknown value differs from an empty text.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol

from airflow_provider_studio.client.plain_text import JOINERS, one_line, shorten, web_address

__all__ = [
    "BYTE_ORDER_MARK",
    "HTML",
    "MARKDOWN",
    "PLAIN",
    "SLACK",
    "TextFormat",
    "controls_nothing",
    "counted",
    "csv_cell",
    "csv_pieces",
    "duration",
    "html_text",
    "json_text",
    "markdown",
    "one_line",
    "page_address",
    "plain",
    "shorten",
    "slack",
    "table_lines",
    "without_formulas",
]

_HOUR, _MINUTE = 3600, 60
_MARKUP = frozenset("\\`*_[]|#~!")
_LIST_MARKER = re.compile(r"^([-+=]|\d+(?=[.)]))")
"""A character or number at the beginning that would make a list or a rule of the line."""
_WORD_JOINER = JOINERS[-1]
_LINKABLE = re.compile(
    r"(?i)(?<=:)(?=//)"  # https://…
    r"|(?<=@)(?=[^\s\u2060])"  # an address, a mention
    r"|(?<=[^\W_])(?=\.[^\W\d_]{2})|(?<=www)(?=\.)"  # before the dot: remark makes a link of `www.` alone
)
"""The places where a word joiner breaks what programs make a link or a mention of."""
_SLACK_LINK = re.compile(r"(?<=<)(?=[^\s\u2060])")
"""The beginning of Slack's <!channel>, <@U…> and <https://…|…>, for plain text that is sent to Slack."""
_PAGE = re.compile(r"https?://[\w.:-]+(?:/[\w.%~-]+)*/(?P<report>[\w-]+)", re.ASCII)
_KEPT = f"\n{JOINERS}"
"""Characters that are not printable, but part of a text of several lines."""
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_SLACK_MARKUP = str.maketrans(
    {"*": "\N{ASTERISK OPERATOR}", "~": "\N{TILDE OPERATOR}", "`": "\N{MODIFIER LETTER GRAVE ACCENT}"}
)
"""Slack has no escape for its markup, so characters that look alike replace it."""
_SLACK_EMPHASIS = re.compile(r"(?<!\w)_|_(?!\w)")
"""An underscore inside a word is no markup."""

BYTE_ORDER_MARK = "\ufeff"
_ROWS_IN_A_PIECE = 2000
_OPERATORS = frozenset("=+-@|%\u2212")
_LINE_BREAKS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SEPARATORS = re.compile(f"([,;\t{_LINE_BREAKS}]+)")
_HARMLESS = re.compile(r"(?:[A-Za-z0-9][ !#-+\-./0-:<-~]*)?")
"""What most texts are: printable ASCII without a quote or a separator, and no operator at the beginning."""
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_INVISIBLE_LETTERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Invisible letters and marks outside Unicode's categories of white space and format characters."""
_IGNORED = frozenset({"Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp"})


# Numbers in words


def counted(number: int, thing: str) -> str:
    """Return `1 schedule`, `2 schedules`, `1,000 schedules`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that reads best: `0.4 seconds`, `14 seconds`, `2.5 minutes`, `3.2 hours`."""
    if round(seconds / _MINUTE, 1) >= _MINUTE:
        return f"{seconds / _HOUR:,.1f} hours"
    if round(seconds) >= 2 * _MINUTE:
        return f"{seconds / _MINUTE:,.1f} minutes"
    if round(seconds, 1) < 10 and round(seconds, 1) % 1:
        return f"{seconds:.1f} seconds"
    return counted(round(seconds), "second")


# Names that people chose


def plain(text: str, *, longest: int = 400) -> str:
    """Return a short text in one line, for messages and logs: no program makes a link or a mention of a part of it."""
    return _SLACK_LINK.sub(_WORD_JOINER, _without_links(text, longest))


def _without_links(text: str, longest: int) -> str:
    joined = _LINKABLE.sub(_WORD_JOINER, shorten(text, longest))
    # Right-to-left letters are isolated, so that only the text itself has their direction.
    reorders = any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in joined)
    return f"{_ISOLATE}{joined}{_END_ISOLATE}" if reorders else joined


def markdown(text: str, *, longest: int = 80) -> str:
    """Return a short text in one line, escaped for Markdown and HTML."""
    escaped = html.escape(_without_links(text, longest), quote=False)
    escaped = "".join(f"\\{char}" if char in _MARKUP else char for char in escaped)
    marker = _LIST_MARKER.match(escaped)
    return escaped if marker is None else _with_escaped_marker(escaped, marker.group())


def _with_escaped_marker(text: str, marker: str) -> str:
    """Escape a list marker: the character itself, or the one after a number."""
    place = len(marker) if marker.isdigit() else 0
    return f"{text[:place]}\\{text[place:]}"


def html_text(text: str, *, longest: int = 400) -> str:
    """Return a short text in one line, escaped for HTML."""
    return html.escape(_without_links(text, longest))


def slack(text: str, *, longest: int = 400) -> str:
    """Return a short text in one line, escaped for Slack's mrkdwn."""
    without_markup = _SLACK_EMPHASIS.sub("\N{FULLWIDTH LOW LINE}", shorten(text, longest).translate(_SLACK_MARKUP))
    return html.escape(_without_links(without_markup, longest), quote=False)


# Links to Reports' pages


def page_address(url: str | None, report: str) -> str | None:
    """Return the URL of a Report's page if it may be linked, else None: it has the Report's token and no other text."""
    found = _PAGE.fullmatch(url or "")
    return web_address(url) if found and found["report"] == report else None


def markdown_link(text: str, url: str | None) -> str:
    """Return a text as a link in Markdown; without a URL, as text."""
    return f"[{markdown(text)}]({url})" if url else markdown(text)


def html_link(text: str, url: str | None) -> str:
    """Return a text as a link in HTML; without a URL, as text."""
    return f'<a href="{html.escape(url)}">{html_text(text)}</a>' if url else html_text(text)


def slack_link(text: str, url: str | None) -> str:
    """Return a text as a link in Slack's mrkdwn; without a URL, as text."""
    return f"<{url}|{slack(text)}>" if url else slack(text)


def plain_link(text: str, url: str | None) -> str:
    """Return a text with the URL after it."""
    return f"{plain(text)} {url}" if url else plain(text)


@dataclass(frozen=True)
class TextFormat:
    """How a format writes a text from outside, and a link.

    :param text: returns a text in which a reader finds only text.
    :param link: returns a text as a link to a URL from `page_address`; without a URL, as text.
    """

    text: _Neutralize
    link: Callable[[str, str | None], str]


class _Neutralize(Protocol):
    def __call__(self, text: str, *, longest: int = ...) -> str: ...


PLAIN = TextFormat(plain, plain_link)
SLACK = TextFormat(slack, slack_link)
HTML = TextFormat(html_text, html_link)
MARKDOWN = TextFormat(markdown, markdown_link)


# Output on a terminal


def controls_nothing(text: str) -> bool:
    """Whether a text of several lines has no character that controls a terminal or reorders a line."""
    return all(char.isprintable() or char in _KEPT for char in text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON in which characters that control a terminal or reorder a line are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(char if char.isprintable() or char in _KEPT else json.dumps(char)[1:-1] for char in text)


def table_lines(rows: Iterable[Sequence[Any]], *, longest: int = 60) -> list[str]:
    """Return the lines of a table with aligned columns; the first row is the header.

    :param longest: longer cells are shortened.
    """
    texts = [[shorten(_terminal(value), longest) for value in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in texts
    ]


def _terminal(value: Any) -> str:
    """Return a value as text; an unknown value is `?`."""
    if value is None:
        return "?"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def _width(text: str) -> int:
    """Return the number of terminal columns of a text."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 or char in JOINERS for char in text)


# CSV


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a table as CSV in pieces of a few thousand rows; the module's docstring has the rules."""
    lines = [BYTE_ORDER_MARK + _csv_line(header)]
    for row in rows:
        lines.append(_csv_line(row))
        if len(lines) >= _ROWS_IN_A_PIECE:
            yield "".join(lines)
            lines.clear()
    if lines:
        yield "".join(lines)


def _csv_line(row: Sequence[Any]) -> str:
    return ",".join(map(csv_cell, row)) + "\r\n"


def csv_cell(value: Any) -> str:
    """Return a value as a CSV cell, quotes included.

    The `csv` module is not used: before Python 3.12 it either quotes None too, or does not quote every text.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(" ", "seconds")
    if isinstance(value, int | float | Decimal | date):
        return str(value)
    text = str(value)
    if not _HARMLESS.fullmatch(text):
        text = _CONTROLS.sub(" ", without_formulas(text)).replace('"', '""')
    return f'"{text}"'


def without_formulas(text: str) -> str:
    """Return a text in which a spreadsheet finds no formula."""
    parts = _SEPARATORS.split(text)  # the odd ones are the separators
    parts[::2] = [f"'{part}" if _may_be_computed(part) else part for part in parts[::2]]
    first = stripped[0] if (stripped := text.lstrip(" ")) else ""
    safe = "".join(parts)
    return f"'{safe}" if first in ("\t", *_LINE_BREAKS) else safe


def _may_be_computed(part: str) -> bool:
    """Whether the first character that is not ignored is an operator, in any of its forms."""
    first = next((char for char in part if not _is_ignored(char)), "")
    return bool(first) and unicodedata.normalize("NFKC", first)[0] in _OPERATORS


def _is_ignored(char: str) -> bool:
    if char == '"' or char in _INVISIBLE_LETTERS or "\ufe00" <= char <= "\ufe0f":
        return True
    return not ("!" <= char <= "~") and unicodedata.category(char) in _IGNORED
