"""Documents in chunks, for agents to look up: replaced as a whole, found by their vectors.

The search is exact and reads every vector it may find, a batch at a time. How vectors compare lies
in `qadb.repositories.agents.vectors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import func, select

from qadb.models import RAGDocument
from qadb.repositories.agents.vectors import NUMBER_BYTES, NearestVectors, to_bytes
from qadb.repositories.generic.base import Repository
from qadb.repositories.generic.owners import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement

    Chunk: TypeAlias = "str | tuple[str, Sequence[float] | None]"

BATCH_BYTES = 1024 * 1024
MOST_BATCH_ROWS = 1000


@dataclass(frozen=True, slots=True)
class _Content:
    """A chunk as it is to be stored; without a vector of its own `embedding` is None."""

    text: str
    hash: str
    embedding: bytes | None


class RAGDocumentRepository(Repository[RAGDocument]):
    """Chunks of documents, each with the vector that it is found by."""

    model = RAGDocument

    def replace_document(
        self,
        document_id: str,
        chunks: Iterable[Chunk],
        *,
        source_path: str | None = None,
        embedding_model: str | None = None,
        extra_data: Mapping[str, object] | None = None,
    ) -> list[RAGDocument]:
        """Store a document as these chunks, and nothing else; returns its rows in order.

        All of it happens or nothing. A chunk that is there already, at its place, keeps its row;
        one that is there anywhere keeps its vector, unless it comes with another. No chunks: the
        document goes. In a session for all tenants it is that of the tenant ``default``.

        Args:
            document_id: which one.
            chunks: texts, or pairs of text and vector.
            source_path: where it is from; for every chunk.
            embedding_model: what made the vectors that come along.
            extra_data: kept with every chunk; what is there stays where none is given.

        Raises:
            ValueError: a vector or a value that can't be stored.
            ConflictError: another session stores the same document, new, at the same time.
        """
        contents = [_content(chunk) for chunk in chunks]
        with self._conflicts({"document_id": document_id}), self.session.begin_nested():
            found = self._locked(document_id)
            known = {
                row.content_hash: (row.embedding, row.embedding_model)
                for row in found
                if row.embedding is not None
            }
            present = {row.chunk_index: row for row in found}
            rows = []
            for index, content in enumerate(contents):
                row = present.get(index) or RAGDocument(document_id=document_id, chunk_index=index)
                row.total_chunks, row.source_path = len(contents), source_path
                if extra_data is not None:
                    row.extra_data = dict(extra_data)
                _fill(row, content, known, embedding_model)
                rows.append(row)
            self.session.add_all(rows)
            for row in found:
                if row.chunk_index >= len(contents):
                    self.session.delete(row)
            self.session.flush()
        return rows

    def nearest(
        self,
        vector: Sequence[float],
        k: int = 10,
        *,
        document_id: str | None = None,
        embedding_model: str | None = None,
    ) -> list[tuple[RAGDocument, float]]:
        """Return the chunks whose vectors point most nearly the same way, with cosine similarities.

        Exact: every vector of the same dimension is compared. Chunks without a vector, or with one
        of zeros, are not found. Ties go by id.

        Args:
            vector: what is looked for.
            k: how many at most.
            document_id: only chunks of this document.
            embedding_model: only vectors of this model; those of others are not comparable.

        Raises:
            ValueError: the vector has no direction or numbers that are not finite, there are
                vectors but none of its dimension, or k is less than 1.
            MissingDependency: NumPy is not installed.
        """
        if k < 1:
            raise ValueError(f"the nearest 1 or more can be found, not {k}")
        search = NearestVectors(vector, k)
        within: list[ColumnElement[bool]] = [RAGDocument.embedding.is_not(None)]
        if document_id is not None:
            within.append(RAGDocument.document_id == document_id)
        if embedding_model is not None:
            within.append(RAGDocument.embedding_model == embedding_model)
        if not self._compare(search, within) and self.exists(*within):
            raise ValueError(f"there is no vector of {search.dimension} numbers to compare with")
        best = search.best()
        query = select(RAGDocument).where(RAGDocument.id.in_([key for key, _ in best]))
        rows = {row.id: row for row in self.session.scalars(query)} if best else {}
        return [(rows[key], similarity) for key, similarity in best if key in rows]

    def _compare(self, search: NearestVectors, within: Sequence[ColumnElement[bool]]) -> int:
        """Show the search what it may find; returns how many vectors that were."""
        size = search.dimension * NUMBER_BYTES
        query = (
            select(RAGDocument.id, RAGDocument.embedding)
            .where(*within, func.length(RAGDocument.embedding) == size)
            .execution_options(yield_per=max(1, min(MOST_BATCH_ROWS, BATCH_BYTES // size)))
        )
        count = 0
        for batch in self.session.execute(query).partitions():
            keys = [key for key, _ in batch]
            search.add(keys, [stored for _, stored in batch if stored is not None])
            count += len(keys)
        return count

    def _locked(self, document_id: str) -> Sequence[RAGDocument]:
        query = self.query(document_id=document_id, tenant_id=owner_of(self.session))
        query = query.with_for_update().execution_options(populate_existing=True)
        return self.session.scalars(query).all()


def _content(chunk: Chunk) -> _Content:
    text, vector = (chunk, None) if isinstance(chunk, str) else chunk
    embedding = None if vector is None else to_bytes(vector)
    return _Content(text, sha256(text.encode()).hexdigest(), embedding)


def _fill(
    row: RAGDocument,
    content: _Content,
    known: Mapping[str, tuple[bytes | None, str | None]],
    embedding_model: str | None,
) -> None:
    if row.content_hash != content.hash:
        row.content, row.content_hash = content.text, content.hash
        row.embedding, row.embedding_model = known.get(content.hash, (None, None))
    if content.embedding is not None:
        row.embedding, row.embedding_model = content.embedding, embedding_model
