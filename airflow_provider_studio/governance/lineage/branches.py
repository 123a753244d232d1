# SPDX-License-Identifier: Apache-2.0
"""Conditions on unknown values: each of their branches is rendered at least once, in as few renderings as possible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TextIO

from liquid import RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import Path
from liquid.builtin.tags.case_tag import CaseNode, CaseTag, MultiExpressionBlockNode
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.builtin.tags.unless_tag import UnlessNode, UnlessTag
from liquid.expression import Expression

from airflow_provider_studio.governance.lineage.unknown_values import has_marker


@dataclass
class _Branch:
    """A branch that was rendered, and the branches of each condition within it; None for one that was not."""

    conditions: dict[int, list[_Branch | None]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return all(branch and branch.is_complete for branches in self.conditions.values() for branch in branches)


class Branches:
    """Chooses the branches of one rendering after the other.

    :param decisions: whether each condition holds in this rendering, by its text: it then holds at all its places.
    """

    def __init__(self) -> None:
        self._root = _Branch()
        self._path = [self._root]
        self.rendered = 0
        self.decisions: dict[str, bool] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all branches were rendered."""
        return self._root.is_complete

    def begin(self, decisions: dict[str, bool]) -> None:
        """Begin a rendering with decisions that are made already."""
        self.decisions, self._path = decisions, [self._root]

    def render(
        self, node: Node, conditions: list[str], blocks: list[Node | None], context: RenderContext, buffer: TextIO
    ) -> int:
        """Render one of the blocks, each with its condition and the last one without. Return what it returns."""
        branches = self._path[-1].conditions.setdefault(id(node), [None] * len(blocks))
        number = self._choose(conditions, branches)
        branch = branches[number]
        if branch is None:
            branch = branches[number] = _Branch()
            self.rendered += 1
        self._path.append(branch)
        try:
            block = blocks[number]
            return block.render(context, buffer) if block else 0
        finally:
            self._path.pop()

    def _choose(self, conditions: list[str], branches: list[_Branch | None]) -> int:
        """Prefer a branch that is not complete, unless its condition is decided otherwise."""
        incomplete = [number for number, branch in enumerate(branches) if not (branch and branch.is_complete)]
        preferred = incomplete[0] if incomplete else 0
        for number, condition in enumerate(conditions):
            if self.decisions.setdefault(condition, number == preferred):
                return number
        return len(conditions)


class _If(IfNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        expressions = [self.condition, *(alternative.expression for alternative in self.alternatives)]
        if not any(_is_unknown(expression, context) for expression in expressions):
            return super().render_to_output(context, buffer)
        blocks: list[Node | None] = [
            self.consequence,
            *(alternative.block for alternative in self.alternatives),
            self.default,
        ]
        return _branches(context).render(self, [str(item) for item in expressions], blocks, context, buffer)


class _Unless(UnlessNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if self.alternatives or not _is_unknown(self.condition, context):
            return super().render_to_output(context, buffer)
        return _branches(context).render(self, [str(self.condition)], [self.default, self.consequence], context, buffer)


class _Case(CaseNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if not _is_unknown(self.expression, context):
            return super().render_to_output(context, buffer)
        whens = [block for block in self.blocks if isinstance(block, MultiExpressionBlockNode)]
        others = [block for block in self.blocks if not isinstance(block, MultiExpressionBlockNode)]
        conditions = [f"{self.expression} == {when.expression}" for when in whens]
        blocks: list[Node | None] = [*(when.block for when in whens), others[0] if others else None]
        return _branches(context).render(self, conditions, blocks, context, buffer)


class _IfTag(IfTag):
    node_class = _If


class _UnlessTag(UnlessTag):
    node_class = _Unless


class _CaseTag(CaseTag):
    node_class = _Case


TAGS = (_IfTag, _UnlessTag, _CaseTag)


def _branches(context: RenderContext) -> Branches:
    branches: Branches = context.env.branches  # type: ignore[attr-defined]  # of the environment in `templates`
    return branches


def _is_unknown(expression: Expression, context: RenderContext) -> bool:
    if isinstance(expression, Path):
        return has_marker(expression.evaluate(context))
    return any(_is_unknown(child, context) for child in expression.children())
