"""Search: how notes are found by their words, with the engines' own full text.

Owns what each engine needs for it beside the table, and what keeps that up to date: on PostgreSQL
a generated column `search_document` with an index, on SQLite the FTS5 table `notes_search`, whose
row ids are the notes'. Accents and case make no difference on either; rows deleted softly stay in
the index. Queries, which pass their words through `qadb_fold_accents` on PostgreSQL, are made in
repositories. None of this is mapped: the engines differ in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import replacement, triggers

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

# Decomposed, an accented letter is the letter and a mark; the marks go. The server needs neither
# unaccent nor ICU for it, but the encoding UTF8.
_FOLD_ACCENTS = r"""
CREATE OR REPLACE FUNCTION qadb_fold_accents(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g')"""

# A tsvector holds a megabyte at most; what follows the first 100,000 characters is not found.
_ADD_COLUMN = """\
ALTER TABLE notes ADD COLUMN search_document tsvector NOT NULL GENERATED ALWAYS AS (
  setweight(to_tsvector('simple', qadb_fold_accents(left(title, 100000))), 'A')
  || setweight(to_tsvector('simple', qadb_fold_accents(left(content, 100000))), 'B')
) STORED"""

_CREATE_INDEX = "CREATE INDEX idx_notes_search_document ON notes USING gin (search_document)"

_CREATE_SEARCH_TABLE = """\
CREATE VIRTUAL TABLE notes_search USING fts5(title, content, content = 'notes',
  content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2')"""

# The index forgets a row only when told the words that it was entered with.
_FORGET_OLD = """\
INSERT INTO notes_search (notes_search, rowid, title, content)
  VALUES ('delete', OLD.id, OLD.title, OLD.content)"""

_FORGET_REPLACED = """\
INSERT INTO notes_search (notes_search, rowid, title, content)
  SELECT 'delete', record_id, json_extract(old_values, '$.title'),
    json_extract(old_values, '$.content')
  FROM replaced_rows WHERE table_name = 'notes' AND record_id = NEW.id;
  DELETE FROM replaced_rows WHERE table_name = 'notes'"""

_ENTER = """\
INSERT INTO notes_search (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content)"""

_TRIGGERS = (
    f"""\
CREATE TRIGGER trg_notes_search_insert AFTER INSERT ON notes FOR EACH ROW
BEGIN
  {_FORGET_REPLACED};
  {_ENTER};
END""",
    f"""\
CREATE TRIGGER trg_notes_search_update AFTER UPDATE OF title, content ON notes FOR EACH ROW
WHEN NEW.id = OLD.id
BEGIN
  {_FORGET_OLD};
  {_ENTER};
END""",
    f"""\
CREATE TRIGGER trg_notes_search_move AFTER UPDATE ON notes FOR EACH ROW
WHEN NEW.id <> OLD.id
BEGIN
  {_FORGET_REPLACED};
  {_FORGET_OLD};
  {_ENTER};
END""",
    # Where triggers are recursive it fires for a row that is replaced: no longer aside then.
    f"""\
CREATE TRIGGER trg_notes_search_delete AFTER DELETE ON notes FOR EACH ROW
BEGIN
  DELETE FROM replaced_rows WHERE table_name = 'notes' AND record_id = OLD.id;
  {_FORGET_OLD};
END""",  # noqa: S608 - the statements above
)


def attach_functions(metadata: MetaData) -> None:
    """Create what the column needs before the first table and drop it after the last."""
    triggers.before_tables(metadata, _FOLD_ACCENTS)
    triggers.after_tables(metadata, "DROP FUNCTION IF EXISTS qadb_fold_accents(text)")


def attach(notes: Table) -> None:
    """Index the words of notes, and keep SQLite's index up to date."""
    triggers.with_table(notes, "postgresql", _ADD_COLUMN, _CREATE_INDEX)
    triggers.with_table(notes, "sqlite", _CREATE_SEARCH_TABLE)
    replacement.put_aside(notes, "json_object('title', title, 'content', content)")
    triggers.with_table(notes, "sqlite", *_TRIGGERS)
    triggers.without_table(notes, "sqlite", "DROP TABLE notes_search")
