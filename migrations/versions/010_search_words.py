"""Search words: on PostgreSQL a note's words are now those that SQLite finds it by.

The server's parser kept ``src/foo.py``, ``e-mail`` and ``1.5`` whole and went by its locale. The
column is made anew, which rewrites the table once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator

revision: str = "010"
down_revision: str | None = "009"
branch_labels: str | None = None
depends_on: str | None = None

LETTERS = Path(__file__).with_name("010_letters.txt")  # what SQLite's unicode61 makes of each

# Only letters that occur are translated, since each costs a step a character.
WORD_VECTOR = r"""
CREATE FUNCTION qadb_word_vector(content text) RETURNS tsvector
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

FOLD_ACCENTS = r"""
CREATE FUNCTION qadb_fold_accents(words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g')"""

SEARCH_DOCUMENT = """
ALTER TABLE notes ADD COLUMN search_document tsvector NOT NULL GENERATED ALWAYS AS (
  setweight({title}, 'A') || setweight({content}, 'B')
) STORED"""


def upgrade() -> None:
    if _on_sqlite():
        return
    op.execute("ALTER TABLE notes DROP COLUMN search_document")
    op.execute("DROP FUNCTION qadb_fold_accents(text)")
    op.execute(_word_vector_function())
    _add_search_document("qadb_word_vector(left({}, 100000))")


def downgrade() -> None:
    if _on_sqlite():
        return
    op.execute("ALTER TABLE notes DROP COLUMN search_document")
    op.execute("DROP FUNCTION qadb_word_vector(text)")
    op.execute(FOLD_ACCENTS)
    _add_search_document("to_tsvector('simple', qadb_fold_accents(left({}, 100000)))")


def _on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _add_search_document(vector_of: str) -> None:
    vectors = {column: vector_of.format(column) for column in ("title", "content")}
    op.execute(SEARCH_DOCUMENT.format(**vectors))
    op.execute("CREATE INDEX idx_notes_search_document ON notes USING gin (search_document)")


def _word_vector_function() -> str:
    parts = LETTERS.read_text(encoding="ascii").split("\n\n")[1:]
    separators, marks, letters = (part.split()[1:] for part in parts)
    pairs = [pair for run in letters for pair in _pairs(run)]
    return WORD_VECTOR.format(
        folded="".join(letter for letter, _ in pairs),
        marks="".join(chr(code) for text in marks for code in _codes(text)),
        plain="".join(letter for _, letter in pairs),
        separators="".join(
            rf"\U{max(1, codes[0]):08x}-\U{codes[-1]:08x}" for codes in map(_codes, separators)
        ),
    )


def _pairs(run: str) -> Iterator[tuple[str, str]]:
    """The letters of ``41-5a:61``: A to Z into a to z."""
    codes, _, target = run.partition(":")
    for place, code in enumerate(_codes(codes)):
        yield chr(code), chr(int(target, 16) + place)


def _codes(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)
