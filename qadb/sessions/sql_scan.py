"""Reads which tables a compiled statement touches, and which of these it confines to the tenant.

The text comes from SQLAlchemy, so its form is known; whatever is not recognised counts as not
confined. Each SELECT, INSERT, UPDATE or DELETE is a block of its own, and what is named in a block
must be confined in that block. Two ways count:

* ``name.column = :bind`` with the session's own bind, which nothing but the session's criteria
  brings into a statement. They stand in a WHERE or ON that every row must meet: an OR beside them
  is somebody's text.
* for link tables, which the ORM joins by itself and without criteria: their column set equal to a
  confined table's, or to another bind that must then hold the tenant. This may be anybody's
  condition, so it counts only where every row must meet it: not beside OR, not inside a
  parenthesis, in an outer join's ON only for the tables that the join adds.
"""

from __future__ import annotations

import re

from qadb.sessions.sql_blocks import Block, Group, Owned, Scan, Side
from qadb.sessions.sql_tokens import END, Token, tokenize

_CLAUSES = {
    **dict.fromkeys(("from", "join", "using"), "from"),
    **dict.fromkeys(("on", "where", "set", "into"), ""),
    **dict.fromkeys(("select", "group", "order", "having", "limit", "returning", "for"), "rest"),
}
_CONDITION_ENDS = frozenset(
    {"", ")", ",", "and", "where", "join", "left", "inner", "group", "order", "having", "limit"}
    | {"union", "except", "intersect", "returning", "for"}
)
# Functions that make rows of their arguments, and words before a parenthesis in FROM. SQLite takes
# the name of a virtual table for a function as well.
_ROW_FUNCTIONS = re.compile(
    r"jsonb?_\w+|unnest|generate_\w+|regexp_\w+|string_to_table"
    r"|lateral|values|tablesample|bernoulli|system"
)
_UNSURE = frozenset({"or", "case", "between"})
_LOCKING = frozenset({"do", "for", "key"})  # DO UPDATE, FOR UPDATE, FOR NO KEY UPDATE


def scan(sql: str, positional_binds: list[str] | None, owned: Owned) -> Scan:
    """Return what the statement does; the parameters are those of `tokenize`."""
    return _Scanner(list(tokenize(sql, positional_binds)), owned).run()


class _Scanner:
    def __init__(self, tokens: list[Token], owned: Owned) -> None:
        self._tokens = tokens
        self._owned = owned
        self._scan = Scan()
        self._blocks: list[Block] = []
        self._groups = [Group(self._new_block(), is_sure=True)]

    def run(self) -> Scan:
        for position, token in enumerate(self._tokens):
            group = self._groups[-1]
            if token.kind == "comment":
                self._scan.problem = "a comment"
            elif token.kind == "mark":
                self._read_mark(position, token.text)
            elif token.kind == "bind":
                self._read_tie(position, group)
            elif token.kind == "word" and not self._is_after(position, ".", "as"):
                self._read_word(position, token.text, group)
            if token.kind in {"word", "quoted"}:
                self._read_name(position, token.text, group)
        self._conclude()
        return self._scan

    def _at(self, position: int) -> Token:
        return self._tokens[position] if 0 <= position < len(self._tokens) else END

    def _is_after(self, position: int, *texts: str) -> bool:
        return self._at(position - 1).text in texts

    def _new_block(self) -> Block:
        self._blocks.append(Block())
        return self._blocks[-1]

    def _read_mark(self, position: int, mark: str) -> None:
        outer = self._groups[-1]
        if mark == "(":
            if self._at(position + 1).text in {"select", "with", "values"}:
                self._groups.append(Group(self._new_block(), is_sure=True))
            else:
                is_join = outer.is_sure and outer.clause == "from"
                clause = "from" if is_join else "rest"
                self._groups.append(Group(outer.block, is_sure=is_join, clause=clause))
        elif mark == ")":
            outer.end_clause()
            self._groups.pop()
            if not self._groups:
                self._scan.problem = "parentheses that don't match"
                self._groups = [Group(self._new_block(), is_sure=False)]
            elif self._groups[-1].block is outer.block:
                self._groups[-1].named |= outer.named
                self._groups[-1].joined |= outer.named
            elif self._groups[-1].clause == "from" and self._at(position + 1).text == "as":
                self._groups[-1].block.subqueries[self._at(position + 2).text] = outer.block

    def _read_word(self, position: int, word: str, group: Group) -> None:
        before = self._at(position - 1).text
        if word in _UNSURE:
            group.has_alternatives = True
            group.has_or |= word == "or" and not group.open_cases
            group.open_cases += word == "case"
        elif word == "end":
            group.open_cases -= 1
        elif word == "full":
            self._scan.problem = "a FULL JOIN"
        elif word in {"select", "insert", "delete"} or (
            word == "update" and before not in _LOCKING
        ):
            self._begin_block(word, group)
        elif word == "update" and before == "do":
            self._read_upsert(group.block)
        elif word in _CLAUSES and before != "distinct":
            group.end_clause()
            group.clause = _CLAUSES[word] or word
            if word == "where" and group.is_sure and self._is_never_true(position + 1):
                group.block.is_empty = True
            if word == "join":
                group.is_outer_join, group.joined = before == "outer", set()

    def _is_never_true(self, position: int) -> bool:
        """SQLAlchemy drops every other condition beside false()."""
        end = position + (1 if self._at(position).text == "false" else 3)
        condition = "".join(self._at(at).text for at in range(position, end))
        return condition in {"false", "0=1"} and self._at(end).text in _CONDITION_ENDS - {"and"}

    def _read_upsert(self, block: Block) -> None:
        """From here on the target's rows must be confined, again for each ON CONFLICT."""
        target = block.target or ""
        if self._scan.is_upsert and target not in block.confined:
            self._scan.problem = "an upsert of other tenants' rows"
        self._scan.is_upsert = True
        block.names[target] = target
        block.confined.discard(target)

    def _begin_block(self, verb: str, group: Group) -> None:
        group.end_clause()
        if verb != "select" and (len(self._groups) > 1 or self._scan.target is not None):
            self._scan.problem = "a change inside a query"
        if group.block.verb:
            group.block = self._new_block()
        group.block.verb = verb
        group.is_outer_join = False
        group.clause = "into" if verb == "update" else verb

    def _read_name(self, position: int, name: str, group: Group) -> None:
        after = self._at(position + 1).text
        if after == ".":
            self._read_criterion(position, name, group)
            self._read_tie(position, group)
            self._read_output(position, group)
            return
        block, columns = group.block, self._owned.columns
        if group.clause == "set" and after == "=":
            self._scan.sets_owner |= name == columns.get(self._scan.target or "")
            return
        if self._is_after(position, "as") or name in _CLAUSES or name in {"update", "only"}:
            return
        is_in_from = group.is_sure and group.clause == "from"
        if is_in_from and after == "(" and not _ROW_FUNCTIONS.fullmatch(name):
            self._scan.problem = f"the rows of {name}()"
        if block.target is None and (
            group.clause == "into" or (block.verb == "delete" and group.clause == "from")
        ):
            block.target = name
            self._scan.target = self._scan.target or name
            if block.verb == "insert":
                return
        if name in columns:
            called = self._at(position + 2).text if after == "as" else name
            block.names[called] = name
            group.named.add(called)
            group.joined.add(called)
            if group.is_outer_join and group.clause == "from":
                block.outer.add(called)

    def _read_criterion(self, position: int, name: str, group: Group) -> None:
        """Read ``name.column = :bind`` with the session's bind."""
        column, operator, value = (self._at(position + i) for i in (2, 3, 4))
        if operator.text == "=" and value == Token("bind", self._owned.bind):
            table = group.block.names.get(name, "")
            if column.text == self._owned.columns.get(table):
                group.criteria.add(name)
                self._scan.binds.add(value.text)

    def _read_output(self, position: int, group: Group) -> None:
        """Read ``name.column`` or ``name.column AS label`` in the list of a SELECT."""
        if group.clause != "select" or not self._is_after(position, "select", "distinct", ","):
            return
        side, end = self._read_side(position)
        label = side.column or ""
        if self._at(end).text == "as":
            label, end = self._at(end + 1).text, end + 2
        if self._at(end).text in {",", "from"}:
            group.block.outputs[label] = side

    def _read_tie(self, position: int, group: Group) -> None:
        """Read ``name.column = name.column``, or with a bind on one side, where it is certain."""
        if not group.is_sure or not self._is_after(position, "on", "where", "and"):
            return
        left, after_left = self._read_side(position)
        right, end = self._read_side(after_left + 1)
        if self._at(after_left).text == "=" and self._at(end).text in _CONDITION_ENDS:
            group.ties += [(left, right), (right, left)]

    def _read_side(self, position: int) -> tuple[Side, int]:
        """Return the column or bind that stands here, and where it ends."""
        token = self._at(position)
        if token.kind == "bind":
            return Side(token.text, None), position + 1
        if self._at(position + 1).text == ".":
            return Side(token.text, self._at(position + 2).text), position + 3
        return Side("", ""), position + 1

    def _conclude(self) -> None:
        for group in self._groups:
            group.end_clause()
        for block in reversed(self._blocks):  # a subquery before what it stands in
            if block.is_empty:
                block.confined.update(block.names)
            for _ in block.ties:  # a chain of links is no longer than that
                self._confine_links(block)
            if block.narrowed:
                tables = ", ".join(sorted(block.names[name] for name in block.narrowed))
                self._scan.problem = f"an outer join of {tables} past select().outerjoin()"
            for name, table in block.names.items():
                if name == block.target == self._scan.target:
                    self._scan.target_is_confined = name in block.confined
                elif name not in block.confined:
                    self._scan.unconfined.add(table)

    def _confine_links(self, block: Block) -> None:
        for link, other in block.ties:
            table = block.names.get(link.name, "")
            if table not in self._owned.links or link.column != self._owned.columns[table]:
                continue
            if other.column is None and link.name not in block.confined:
                self._scan.binds.add(other.name)
                block.confined.add(link.name)
            elif block.holds_tenant(other, self._owned):
                block.confined.add(link.name)
