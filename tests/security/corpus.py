# SPDX-License-Identifier: Apache-2.0
"""Names that anyone who may create a Report could choose, and independent readers of the formats that show them.

Each reader looks for what a program would act on: a link, a mention, markup, a formula, a control sequence. None of
them uses the provider's code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOST = "evil.example"
NAMES = (
    f"https://{HOST}/login",
    f"HTTP://{HOST}",
    f"see www.{HOST} now",
    f"www.x.{HOST}",
    f"{HOST}/path",
    f"admin@{HOST}",
    f"mailto:admin@{HOST}",
    f"[approve](https://{HOST})",
    f"![x](https://{HOST}/pixel.png)",
    f"<https://{HOST}|Approve all>",
    "<!channel> urgent",
    "<!here>",
    "<@U012AB3CD>",
    "@channel",
    "*bold* _slanted_ ~gone~ `code`",
    "Sales *",
    "~~gone~~ __bold__",
    "<script>alert(1)</script>",
    f'"><img src=https://{HOST}/x onerror=alert(1)>',
    "a | b | c |\n|---|---|",
    "# Heading",
    "- item",
    "1. item",
    "---",
    "- [x] done",
    "```",
    "&lt;script&gt;",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevael\u202c reversed",
    "\u2066isolated without an end",
    "\u200f12 \u05e9\u05dc\u05d5\u05dd 34",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31mred",
    "line\r\nof two\u2028and three",
    "null\x00byte\x7f",
    '=HYPERLINK("https://evil.example","x")',
    "+1+1;=1+1",
    "@SUM(1)|' /C calc'!A0",
    "name\U000e0041\ufeff\u200b",
)

_LINK = re.compile(
    rf"(?:https?|ftp)://\S|www\.\S|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<![\w.]){re.escape(HOST)}", re.IGNORECASE
)
_MENTION = re.compile(r"(?:^|(?<=\s))@\w|<[!@#][^>]*>|<https?:[^>]*>|<mailto:[^>]*>")
_EMPHASIS = re.compile(r"(?:^|(?<=[\s>(]))([*_~`])(?=\S)[^\n]*?\S\1(?=$|[\s.,;:)<])")
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067")


def live_links(text: str) -> list[str]:
    """Return what programs make links of in plain text, as GitHub's Markdown, mail clients and chats do."""
    return _LINK.findall(text)


def live_in_slack(text: str) -> list[str]:
    """Return what Slack would act on: links, mentions, and markup of more than a word's inside."""
    found = [*live_links(text), *(match.group() for match in _MENTION.finditer(text))]
    return found + [match.group() for line in text.splitlines() for match in _EMPHASIS.finditer(line)]


def controls(text: str, allowed: str = "\n") -> list[str]:
    """Return the characters of a text that control a terminal or reorder a line; a closed isolate does not."""
    found = [char for char in text if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or char in _BIDI]
    unclosed = ["\u2068"] * abs(text.count("\u2068") - text.count("\u2069"))
    return [char for char in found if char not in allowed] + unclosed


def _tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


def live_in_markdown(text: str, expected: frozenset[str]) -> list[str]:
    """Return the elements of a rendered page that are not expected, and links in its text.

    :param expected: the types of tokens that the page has without a name from outside.
    """
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = []
    for token in _tokens(renderer.parse(text)):
        if token.type not in expected:
            found.append(f"{token.type} {token.content}")
        elif token.type == "text":
            found += live_links(token.content)
    return found


def _leads_to_the_host(url: str) -> bool:
    return HOST in url.partition("?")[0]


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = "".join(f" {name}" for name, _ in attrs)
        targets = [value or "" for name, value in attrs if name in {"href", "src"}]
        target = next(filter(_leads_to_the_host, targets), "")
        self.tags.append(f"{tag}{names} {target}".strip())

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def parsed_html(text: str) -> tuple[list[str], str]:
    """Return a page's elements with the names of their attributes and URLs on another host, and its text."""
    elements = _Elements()
    elements.feed(text)
    return elements.tags, elements.text
