"""Search: how notes are found by their words, with the engines' own full text.

Owns what each engine needs for it beside the table, and what keeps that up to date: on PostgreSQL
a generated column `search_document` with an index, on SQLite the FTS5 table `notes_search`, whose
row ids are the notes'. What a word is lies in `qadb.models.letters`, and is the same on both; rows
deleted softly stay in the index. Queries are made in `qadb.backends`. None of this is mapped: the
engines differ in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qadb.models import replacement, triggers
from qadb.models.letters import read_letters

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

# Words in small letters without accents, as `qadb.models.letters` has them. The server's own parser
# goes by its locale. Only letters that occur are translated, since each costs a step a character. A
# vector takes words of 2,046 bytes and counts places up to 16,383. PL/pgSQL keeps its plan from row
# to row; it calls nothing of ours, because a restore knows no search_path.
_WORD_VECTOR = r"""
CREATE OR REPLACE FUNCTION qadb_word_vector(content text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  words text COLLATE "C" := lower(content COLLATE "C");
  letters text;
  plains text;
BEGIN
  IF words ~ '[^\x01-\x7f]' THEN
    WITH found AS MATERIALIZED (
      SELECT DISTINCT letter COLLATE "C" AS letter FROM unnest(
        string_to_array(regexp_replace(words, '[\x01-\x7f]+', '', 'g'), NULL)) AS used (letter)
    ), folded AS MATERIALIZED (
      SELECT letter, CASE WHEN letter ~ '[{separators}]' THEN ' '
        ELSE translate(letter, '{folded}', '{plain}') END AS plain
      FROM found
    )
    SELECT string_agg(folded.letter, '' ORDER BY folded.letter),
      string_agg(folded.plain, '' ORDER BY folded.letter)
    INTO letters, plains FROM folded WHERE folded.plain <> folded.letter;
    words := translate(regexp_replace(words, '[{marks}]+', '', 'g'),
      coalesce(letters, ''), coalesce(plains, ''));
  END IF;
  words := regexp_replace(words, '[^0-9a-z\x80-\U0010ffff]+', ' ', 'g');
  RETURN (
    SELECT coalesce(string_agg(left(word, 500) || ':' || least(place, 16383), ' '), '')
    FROM unnest(string_to_array(trim(words), ' ')) WITH ORDINALITY AS entered (word, place)
  )::tsvector;
END
$$"""

# A tsvector holds a megabyte at most; what follows the first 100,000 characters is not found.
_ADD_COLUMN = """\
ALTER TABLE notes ADD COLUMN search_document tsvector NOT NULL GENERATED ALWAYS AS (
  setweight(qadb_word_vector(left(title, 100000)), 'A')
  || setweight(qadb_word_vector(left(content, 100000)), 'B')
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
    letters = read_letters()
    function = _WORD_VECTOR.format(
        folded=letters.folded,
        plain=letters.plain,
        marks=letters.marks,
        separators="".join(
            rf"\U{max(1, first):08x}-\U{last:08x}" for first, last in letters.separators
        ),
    )
    triggers.before_tables(metadata, function)
    triggers.after_tables(metadata, "DROP FUNCTION IF EXISTS qadb_word_vector(text)")


def attach(notes: Table) -> None:
    """Index the words of notes, and keep SQLite's index up to date."""
    triggers.with_table(notes, "postgresql", _ADD_COLUMN, _CREATE_INDEX)
    triggers.with_table(notes, "sqlite", _CREATE_SEARCH_TABLE)
    replacement.put_aside(notes, "json_object('title', title, 'content', content)")
    triggers.with_table(notes, "sqlite", *_TRIGGERS)
    triggers.without_table(notes, "sqlite", "DROP TABLE notes_search")
