# SPDX-License-Identifier: Apache-2.0
"""Parses SQL that anyone may have written, within limits that do not depend on the machine.

`sqlglot` tries alternatives and goes back, which for some texts takes exponential time. So each step of the parser
counts, and a text that needs many more steps than usual per token is refused.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

_MOST_CHARACTERS = 100_000
_MOST_TOKENS = 30_000
_MOST_NESTING = 60
_STEPS_PER_TOKEN = 20
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})


class ParseError(ValueError):
    """The SQL cannot be parsed. The message is a reason for people and contains nothing of the SQL."""


def parse(sql: str, dialect: str) -> list[exp.Expr]:
    """Parse a text of statements.

    :raises ParseError: it is not SQL of this dialect, or exceeds a limit.
    """
    if len(sql) > _MOST_CHARACTERS:
        raise ParseError("it is too long")
    parser = _limited_parser(dialect)(dialect=dialect, error_level=ErrorLevel.IMMEDIATE)
    try:
        tokens = Dialect.get_or_raise(dialect).tokenize(sql)
        if len(tokens) > _MOST_TOKENS or _nesting(tokens) > _MOST_NESTING:
            raise ParseError("it is too long or too deeply nested")
        parser.steps = _STEPS_PER_TOKEN * len(tokens) + 1_000
        return [statement for statement in parser.parse(tokens, sql) if statement is not None]
    except SqlglotError:
        raise ParseError(f"it is not valid SQL of {dialect}") from None
    except RecursionError:
        raise ParseError("it is too deeply nested") from None
    except (ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
        if isinstance(error, ParseError):
            raise
        # The parser's own mistakes about SQL that it does not know.
        raise ParseError(f"its parser failed with {type(error).__name__}") from None


def _nesting(tokens: list[Any]) -> int:
    depth = deepest = 0
    for token in tokens:
        if token.token_type in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif token.token_type in _CLOSING:
            depth -= 1
    return deepest


@cache
def _limited_parser(dialect: str) -> Any:
    parser_class: Any = Dialect.get_or_raise(dialect).parser_class

    class LimitedParser(parser_class):  # type: ignore[misc]
        steps = 0

        def _advance(self, times: int = 1) -> None:
            self.steps -= 1
            if self.steps < 0:
                raise ParseError("it takes too many steps to parse")
            super()._advance(times)

    return LimitedParser
