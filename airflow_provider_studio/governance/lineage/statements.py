# SPDX-License-Identifier: Apache-2.0
"""Finds the tables that parsed statements read: not their CTEs, temporary tables, table functions and array columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from airflow_provider_studio.governance.lineage.dialects import DataSourceNames
from airflow_provider_studio.governance.lineage.sql_parser import ParseError, parse
from airflow_provider_studio.governance.lineage.table_names import TableName

# Dialects in which a path of columns can be a table: `FROM orders o, o.items`.
_WITH_COLUMNS_AS_TABLES = frozenset({"bigquery", "redshift"})
_FILE_FORMATS = frozenset({"avro", "binaryfile", "csv", "delta", "iceberg", "json", "orc", "parquet", "text"})
_CATALOG_TABLES = {
    "postgres": re.compile(r"pg_\w+"),
    "redshift": re.compile(r"(pg|stl|stv|svl|svv|svcs|sys)_\w+"),
}
# Table functions whose first text is a query, or the name of a table; and those that read what the query does not say.
_QUERY_FUNCTIONS = frozenset({"crosstab"})
_NAME_FUNCTIONS = frozenset({"identifier", "table_changes"})
_OPAQUE_FUNCTIONS = frozenset({"dblink", "external_query", "remote_query", "result_scan"})
_KNOWN_FUNCTIONS = frozenset(
    {"explode", "explode_outer", "flatten", "generate_series", "generate_subscripts", "generator", "inline"}
    | {"json_array_elements", "json_array_elements_text", "json_each", "json_each_text", "json_object_keys"}
    | {
        "json_populate_recordset",
        "json_to_recordset",
        "jsonb_array_elements",
        "jsonb_array_elements_text",
        "jsonb_each",
    }
    | {"jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_populate_recordset", "jsonb_to_record"}
    | {"jsonb_to_recordset", "posexplode", "range", "read_files", "regexp_split_to_table", "split_to_table", "stack"}
    | {"string_to_table", "unnest"}
    | _QUERY_FUNCTIONS
    | _NAME_FUNCTIONS
)
# Statements without a query that the parser leaves unparsed.
_HARMLESS_COMMANDS = frozenset(
    {
        "ABORT",
        "ALTER",
        "ANALYZE",
        "BEGIN",
        "CLOSE",
        "COMMENT",
        "COMMIT",
        "DEALLOCATE",
        "DISCARD",
        "END",
        "GRANT",
        "LIST",
    }
    | {"OPTIMIZE", "REFRESH", "REINDEX", "RESET", "REVOKE", "ROLLBACK", "SET", "SHOW", "START", "UNSET", "VACUUM"}
)
_QUERY_WORD = re.compile(r"\b(?:call|execute|from|select)\b", re.IGNORECASE)
_ON_COMMIT = re.compile(r"\bon\s+commit\s+(?:drop|(?:delete|preserve)\s+rows)\b", re.IGNORECASE)
_SEARCH_PATH = re.compile(
    r"\s*(?:session\s+|local\s+)?search_path\s*(?:=|to)\s*(\"[^\"]+\"|'[^']+'|\w+)", re.IGNORECASE
)
_UNLOAD = re.compile(r"\s*\(\s*'(.*)'\s*\)\s*to\s", re.IGNORECASE | re.DOTALL)
_DOES_NOT_SAY = "its {} does not say which tables it reads"
_PREDICTIONS = ("Predict", "MLForecast", "MLTranslate", "GenerateEmbedding", "GenerateText")


class UnresolvedError(ValueError):
    """The tables of a statement are not in its text. The message is a reason for people."""


@dataclass(frozen=True)
class _Scope:
    """The names that are not tables: of CTEs, and of what the same `FROM` named before."""

    ctes: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()


@dataclass
class StatementReader:
    """Reads the statements of one query in order: one may set the schema, or create a table, for the next."""

    names: DataSourceNames
    tables: list[TableName] = field(default_factory=list)
    has_unknown_function: bool = False
    _created: set[TableName] = field(default_factory=set)

    def read(self, statements: Sequence[exp.Expr]) -> None:
        """Add the tables that these statements read.

        :raises UnresolvedError: a statement does not say what it reads.
        :raises ParseError: SQL within SQL is invalid.
        """
        for statement in statements:
            self._read_statement(statement)

    def _read_statement(self, statement: exp.Expr) -> None:
        if isinstance(statement, exp.Command):
            self._read_command(statement)
        elif isinstance(statement, exp.Use):
            self._use(statement)
        elif isinstance(statement, exp.Set):
            self._set_path(statement)
            self._read_tree(statement)
        elif isinstance(statement, exp.Execute):
            raise UnresolvedError(_DOES_NOT_SAY.format("statement EXECUTE"))
        elif _may_hide_a_query(statement):
            raise UnresolvedError("the function that it creates may read tables")
        elif not isinstance(statement, exp.Drop | exp.Analyze | exp.TruncateTable | exp.Describe | exp.Alter):
            self._read_tree(statement)

    def _read_command(self, command: exp.Command) -> None:
        text = command.args.get("expression")
        verb, rest = command.name.upper(), text.name if isinstance(text, exp.Expr) else str(text or "")
        if verb == "SET" and not _QUERY_WORD.search(rest):
            self._set(rest)
        elif verb == "UNLOAD" and (query := _UNLOAD.match(rest)):
            self.read(parse(query.group(1).replace("''", "'"), self.names.dialect))
        elif verb == "CREATE" and _ON_COMMIT.search(rest):
            self.read(parse(f"{verb} {_ON_COMMIT.sub('', rest)}", self.names.dialect))
        elif verb not in _HARMLESS_COMMANDS or _QUERY_WORD.search(rest):
            raise UnresolvedError(_DOES_NOT_SAY.format(f"statement {verb[:20]}"))

    def _use(self, use: exp.Use) -> None:
        kind, table = use.args.get("kind"), use.this
        word = kind.name.upper() if kind else ""
        if not isinstance(table, exp.Table) or word not in {"", "CATALOG", "DATABASE", "SCHEMA"}:
            return
        *before_last, last = [self._fold(part) for part in table.parts]
        before = before_last[-1] if before_last else None
        if word == "CATALOG" or (self.names.dialect == "snowflake" and word != "SCHEMA" and before is None):
            self.names = replace(
                self.names, database=last, schema="PUBLIC" if self.names.dialect == "snowflake" else None
            )
        else:
            self.names = replace(self.names, database=before or self.names.database, schema=last)

    def _set_path(self, statement: exp.Set) -> None:
        for assignment in statement.find_all(exp.EQ):
            if assignment.this.name.lower() == "search_path":
                self.names = replace(self.names, schema=assignment.expression.name)

    def _set(self, text: str) -> None:
        if path := _SEARCH_PATH.match(text):
            self.names = replace(self.names, schema=path.group(1).strip("\"'"))

    def _read_tree(self, root: exp.Expr) -> None:
        """Visit all nodes with the names that hide tables there; without recursion, because trees can be deep."""
        pending = [(root, _Scope())]
        while pending:
            node, scope = pending.pop()
            if isinstance(node, exp.Table):
                self._read_table(node, scope)
            elif isinstance(node, exp.TableFromRows):
                self._read_table_of(node.this)
            elif isinstance(node, exp.Anonymous):
                self._read_function(node)
            pending.extend(self._children(node, scope))
        for created in self._created_by(root):
            self._created.add(self._complete(created))

    def _children(self, node: exp.Expr, scope: _Scope) -> Iterator[tuple[exp.Expr, _Scope]]:
        """Yield a node's children, each with its scope; not the tables that the node writes, nor models."""
        scoped: dict[int, _Scope] = {}
        if with_ := node.args.get("with_"):
            scope = self._scope_of_ctes(with_, scope, scoped)
        if isinstance(node, exp.Select) and self.names.dialect in _WITH_COLUMNS_AS_TABLES:
            scope = self._scope_of_sources(node, scope, scoped)
        not_read = {id(written) for written in _written_by(node)}
        children = with_.expressions if with_ else []
        for child in [*children, *node.iter_expressions()]:
            if id(child) not in not_read and child is not with_:
                yield child, scoped.get(id(child), scope)

    def _scope_of_ctes(self, with_: exp.With, scope: _Scope, scoped: dict[int, _Scope]) -> _Scope:
        """Return the scope behind a `WITH`. A CTE sees those before it, and itself if it is recursive."""
        for cte in with_.expressions:
            name = self._cte_name(cte.args["alias"].this)
            behind = replace(scope, ctes=scope.ctes | {name})
            # Snowflake needs no RECURSIVE; what makes a CTE recursive there is that it unites a start with itself.
            is_recursive = with_.args.get("recursive") or (
                self.names.dialect == "snowflake" and isinstance(cte.this, exp.SetOperation)
            )
            scoped[id(cte)] = behind if is_recursive else scope
            scope = behind
        return scope

    def _scope_of_sources(self, select: exp.Select, scope: _Scope, scoped: dict[int, _Scope]) -> _Scope:
        """Return the scope of a `SELECT` in which `o.items` is a column of `o`, if that is a source before it."""
        from_ = select.args.get("from_")
        for source in [*([from_] if from_ else []), *(select.args.get("joins") or [])]:
            scoped[id(source)] = scope
            if alias := source.this.alias_or_name if source.this else "":
                scope = replace(scope, aliases=scope.aliases | {alias.casefold()})
        return scope

    def _read_table(self, table: exp.Table, scope: _Scope) -> None:
        if not isinstance(table.this, exp.Identifier | exp.Dot):
            self._read_table_of(table.this)
            return
        parts = [part for part in table.parts if part.name]
        if not table.name:
            raise UnresolvedError("a table has no name")
        if len(parts) == 1 and self._cte_name(parts[0]) in scope.ctes:
            return
        if len(parts) > 1 and parts[0].name.casefold() in scope.aliases:
            return
        if parts[0].name.startswith("@") or (table.db.lower() in _FILE_FORMATS and "/" in table.name):
            return  # files
        name = self._complete(table)
        if name not in self._created:
            self.tables.append(name)

    def _read_table_of(self, source: object) -> None:
        """Read what stands for a table's name: a text, a variable or a function."""
        if isinstance(source, exp.DynamicIdentifier):
            source = source.this
        if isinstance(source, exp.Literal) and source.is_string:
            self._read_name(source.name)
        elif isinstance(
            source, exp.Parameter | exp.Placeholder | exp.SessionParameter | exp.Column | exp.DynamicIdentifier
        ):
            raise UnresolvedError("the name of a table is a variable")
        elif isinstance(source, exp.Anonymous) and source.name.lower() not in _KNOWN_FUNCTIONS:
            self.has_unknown_function = True

    def _read_function(self, function: exp.Anonymous) -> None:
        name = function.name.lower()
        if name in _OPAQUE_FUNCTIONS:
            raise UnresolvedError(f"the function {name} does not say which tables it reads")
        if name in _QUERY_FUNCTIONS | _NAME_FUNCTIONS:
            text = function.expressions[0] if function.expressions else None
            if not isinstance(text, exp.Literal):
                raise UnresolvedError(f"the function {name} does not say which tables it reads")
            if name in _QUERY_FUNCTIONS:
                self.read(parse(text.name.replace("''", "'"), self.names.dialect))
            else:
                self._read_name(text.name)

    def _read_name(self, text: str) -> None:
        try:  # it is only parsed
            (statement,) = parse(f"SELECT 1 FROM {text}", self.names.dialect)
        except (ParseError, ValueError):
            raise UnresolvedError("the name of a table is an expression") from None
        self._read_tree(statement)

    def _created_by(self, statement: exp.Expr) -> Iterator[exp.Table]:
        into = statement.args.get("into")
        is_relation = isinstance(statement, exp.Create) and statement.kind in {"TABLE", "VIEW"}
        if is_relation or isinstance(statement, exp.Cache):
            created = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
        else:
            created = into.this if into else None
        if isinstance(created, exp.Table):
            yield created

    def _complete(self, table: exp.Table) -> TableName:
        """Return a table's name with the database and the schema that it does not state itself."""
        *before, name = [self._fold(part) for part in table.parts]
        schema = table.db and before.pop() if before else None
        database = before.pop() if before else None
        catalog_tables = _CATALOG_TABLES.get(self.names.dialect)
        if schema == "":
            schema = "PUBLIC"  # Snowflake: `raw..orders`
        elif schema is None and catalog_tables and catalog_tables.fullmatch(name):
            schema = "pg_catalog"
        elif schema is None:
            schema = self.names.schema
        return TableName(database or self.names.database, schema, name)

    def _fold(self, part: exp.Expr) -> str:
        if self.names.dialect == "bigquery" or not isinstance(part, exp.Identifier):
            return part.name
        return str(Dialect.get_or_raise(self.names.dialect).normalize_identifier(part.copy()).name)

    def _cte_name(self, part: exp.Expr) -> str:
        return part.name.casefold() if self.names.dialect == "bigquery" else self._fold(part)


def aliases_in(statements: Sequence[exp.Expr]) -> Iterator[str]:
    """Yield the aliases of tables."""
    for statement in statements:
        yield from (alias.name for alias in statement.find_all(exp.TableAlias))


def _may_hide_a_query(statement: exp.Expr) -> bool:
    """Return whether a statement creates a function or procedure in SQL whose body is a text with a query."""
    body = statement.args.get("expression")
    if not isinstance(statement, exp.Create) or not isinstance(body, exp.Literal | exp.Heredoc | exp.RawString):
        return False
    languages = {language.name.lower() for language in statement.find_all(exp.LanguageProperty)}
    return languages <= {"sql", "plpgsql"} and _QUERY_WORD.search(body.name) is not None


def _written_by(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what a node only writes, and the models that it uses."""
    is_written = isinstance(node, exp.Cache | exp.Create | exp.Insert | exp.Into | exp.Merge) or (
        isinstance(node, exp.Update | exp.Delete) and not node.args.get("returning")
    )
    if is_written or type(node).__name__ in _PREDICTIONS:
        yield node.this
