"""Documents replaced as a whole, and found by their vectors."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from qadb.errors import MissingDependency
from qadb.repositories.agents.rag_documents import RAGDocumentRepository
from qadb.repositories.agents.vectors import from_bytes, to_bytes
from tests.repositories.vector_child import DIMENSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qadb.database import Database
    from qadb.models import RAGDocument
    from qadb.sessions.unit import UnitOfWork


@pytest.fixture
def documents(acme: UnitOfWork) -> RAGDocumentRepository:
    return RAGDocumentRepository(acme)


def contents(rows: Sequence[RAGDocument]) -> list[tuple[int, int, str]]:
    return [(row.chunk_index, row.total_chunks, row.content) for row in rows]


# Replacing


def test_a_document_is_stored_in_chunks(documents: RAGDocumentRepository) -> None:
    rows = documents.replace_document(
        "d",
        ["one", ("twö", [1, 0.5]), ("three", None)],
        source_path="docs/d.md",
        embedding_model="m",
        extra_data={"lang": "en"},
    )
    assert contents(rows) == [(0, 3, "one"), (1, 3, "twö"), (2, 3, "three")]
    assert documents.list(document_id="d", order_by="chunk_index") == rows
    assert [row.embedding for row in rows] == [None, b"\0\0\x80?\0\0\0?", None]
    assert [row.embedding_model for row in rows] == [None, "m", None]
    assert rows[1].content_hash == sha256("twö".encode()).hexdigest()
    assert {(row.source_path, str(row.extra_data)) for row in rows} == {
        ("docs/d.md", "{'lang': 'en'}")
    }


def test_what_did_not_change_keeps_its_row_and_vector(documents: RAGDocumentRepository) -> None:
    first = documents.replace_document(
        "d", [("a", [1]), ("b", [2]), ("c", [3]), ("d", [4])], embedding_model="old"
    )
    ids = [row.id for row in first]
    second = documents.replace_document("d", ["a", ("b", [5]), "C"], embedding_model="new")
    assert [row.id for row in second] == ids[:3]
    assert contents(second) == [(0, 3, "a"), (1, 3, "b"), (2, 3, "C")]
    assert [(row.embedding and from_bytes(row.embedding)) for row in second] == [(1,), (5,), None]
    assert [row.embedding_model for row in second] == ["old", "new", None]
    assert documents.count(document_id="d") == 3


def test_a_chunk_that_moved_keeps_its_vector(documents: RAGDocumentRepository) -> None:
    documents.replace_document("d", [("a", [1]), ("b", [2])], embedding_model="m")
    rows = documents.replace_document("d", ["new", "a", "b", "a"])
    assert [row.embedding and from_bytes(row.embedding) for row in rows] == [None, (1,), (2,), (1,)]
    assert [row.embedding_model for row in rows] == [None, "m", "m", "m"]


def test_no_chunks_take_the_document_away(documents: RAGDocumentRepository) -> None:
    documents.replace_document("d", ["a"])
    documents.replace_document("other", ["a"])
    assert documents.replace_document("d", []) == []
    assert [row.document_id for row in documents.list()] == ["other"]


@pytest.mark.parametrize("bad", [[], [math.nan], [math.inf], [1e39]])
def test_a_bad_vector_changes_nothing(documents: RAGDocumentRepository, bad: list[float]) -> None:
    documents.replace_document("d", [("a", [1])])
    with pytest.raises(ValueError, match="a vector has"):
        documents.replace_document("d", ["b", ("c", bad)])
    assert contents(documents.list()) == [(0, 1, "a")]


def test_documents_of_another_tenant_stay(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            RAGDocumentRepository(session).replace_document("d", [f"{tenant} 1", f"{tenant} 2"])
    with database.session(tenant="acme") as session:
        RAGDocumentRepository(session).replace_document("d", ["new"])
    with database.session(all_tenants=True) as session:
        RAGDocumentRepository(session).replace_document("d", ["default's"])
        found = RAGDocumentRepository(session).list(order_by=["tenant_id", "chunk_index"])
        assert [row.content for row in found] == ["new", "default's", "rival 1", "rival 2"]


# Searching


def brute_force(vector: Sequence[float], rows: Sequence[RAGDocument]) -> list[tuple[object, float]]:
    found = []
    for row in rows:
        stored = from_bytes(row.embedding or b"")
        product = math.fsum(a * b for a, b in zip(vector, stored, strict=True))
        found.append((row.id, product / math.hypot(*vector) / math.hypot(*stored)))
    return sorted(found, key=lambda each: (-round(each[1], 12), each[0]))


def test_the_search_is_exact(documents: RAGDocumentRepository) -> None:
    chance = random.Random(7)
    vectors = [[chance.gauss(0, 1) for _ in range(33)] for _ in range(2500)]
    rows = documents.replace_document("d", [(str(n), v) for n, v in enumerate(vectors)])
    asked = [chance.gauss(0, 1) for _ in range(33)]
    expected = brute_force(asked, rows)
    for k in (1, 10, 2499, 2500, 9999):
        found = documents.nearest(asked, k)
        assert [row.id for row, _ in found] == [key for key, _ in expected[:k]]
        assert [value for _, value in found] == pytest.approx(
            [value for _, value in expected[:k]], abs=1e-12
        )


def test_ties_go_by_id(documents: RAGDocumentRepository) -> None:
    chance = random.Random(7)
    vector = [chance.random() for _ in range(101)]
    rows = documents.replace_document("d", [(str(n), vector) for n in range(1203)])
    found = documents.nearest(vector, 7)
    assert [row.id for row, _ in found] == sorted(row.id for row in rows)[:7]
    assert {value for _, value in found} == {found[0][1]}


def test_what_cannot_be_compared_is_not_found(documents: RAGDocumentRepository) -> None:
    documents.replace_document(
        "d", ["none", ("zeros", [0, 0]), ("long", [1, 0, 0]), ("far", [-3, 0]), ("near", [1, 1])]
    )
    documents.create(
        document_id="odd",
        chunk_index=0,
        total_chunks=1,
        content="nan",
        content_hash="0" * 64,
        embedding=b"\0\0\xc0\x7f" * 2,
    )
    found = documents.nearest([2, 0])
    assert [(row.content, round(value, 6)) for row, value in found] == [
        ("near", 0.707107),
        ("far", -1.0),
    ]


def test_extreme_numbers_are_compared(documents: RAGDocumentRepository) -> None:
    documents.replace_document("d", [("big", [3e38, 0]), ("tiny", [1e-45, 1e-45])])
    for asked in ([1e300, 0.0], [5e-324, 0.0]):
        found = documents.nearest(asked)
        assert [row.content for row, _ in found] == ["big", "tiny"]


def test_the_search_is_narrowed(documents: RAGDocumentRepository) -> None:
    documents.replace_document("d", [("d", [1, 0])], embedding_model="m")
    documents.replace_document("e", [("e", [1, 0])], embedding_model="n")
    assert [row.content for row, _ in documents.nearest([1, 0], document_id="e")] == ["e"]
    assert [row.content for row, _ in documents.nearest([1, 0], embedding_model="m")] == ["d"]
    assert documents.nearest([1, 0], document_id="e", embedding_model="m") == []


@pytest.mark.parametrize(
    ("vector", "k", "words"),
    [
        ([1.0], 1, "no vector of 1 numbers"),
        ([1.0, math.nan], 1, "finite"),
        ([1.0, -math.inf], 1, "finite"),
        ([0.0, 0.0], 1, "zeros"),
        ([], 1, "zeros"),
        ([1.0, 0.0], 0, "not 0"),
    ],
)
def test_senseless_searches_raise(
    documents: RAGDocumentRepository, vector: list[float], k: int, words: str
) -> None:
    documents.replace_document("d", [("a", [1, 0])])
    with pytest.raises(ValueError, match=words):
        documents.nearest(vector, k)


def test_nothing_is_found_where_there_are_no_vectors(documents: RAGDocumentRepository) -> None:
    documents.replace_document("d", ["a"])
    assert documents.nearest([1, 2, 3]) == []


def test_vectors_of_another_tenant_are_not_found(database: Database) -> None:
    for tenant in ("acme", "rival"):
        with database.session(tenant=tenant) as session:
            RAGDocumentRepository(session).replace_document("d", [(tenant, [1, 0])])
    with database.session(tenant="rival") as session:
        RAGDocumentRepository(session).replace_document("long", [(tenant, [1, 0, 0])])
    with database.session(tenant="acme", read_only=True) as session:
        documents = RAGDocumentRepository(session)
        assert [row.content for row, _ in documents.nearest([1, 0])] == ["acme"]
        with pytest.raises(ValueError, match="3 numbers"):
            documents.nearest([1, 0, 0])
    with Session(database.engine()) as plain:
        found = RAGDocumentRepository(plain).nearest([1, 0])
        assert {row.content for row, _ in found} == {"acme", "rival"}


def test_without_numpy_the_error_tells_what_to_install(
    documents: RAGDocumentRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    documents.replace_document("d", [("a", [1, 0])])  # writing does not need it
    with pytest.raises(MissingDependency, match="NumPy") as raised:
        documents.nearest([1, 0])
    assert raised.value.hint == "Run: pip install 'qadb[vector]'"


def test_vectors_survive_as_bytes() -> None:
    assert from_bytes(to_bytes([1, -0.5, 3e38])) == pytest.approx((1, -0.5, 3e38), rel=1e-7)
    assert to_bytes([1]) == b"\0\0\x80?"
    for bad in (b"", b"\0\0\0"):
        with pytest.raises(ValueError, match="four bytes"):
            from_bytes(bad)


def test_the_search_holds_a_part_of_the_vectors(database: Database, tenants_url: str) -> None:
    count, vector = 50_000, to_bytes([1.0] * DIMENSION)
    with database.session(tenant="acme") as session:
        RAGDocumentRepository(session).create_many(
            {
                "document_id": "small" if index == 0 else "large",
                "chunk_index": index,
                "total_chunks": count,
                "content": "",
                "content_hash": "0" * 64,
                "embedding": vector,
            }
            for index in range(count)
        )
    command = [sys.executable, "-m", "tests.repositories.vector_child", tenants_url]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    found, grown_megabytes = child.stdout.split()
    assert found == "3"
    assert float(grown_megabytes) < count * len(vector) / 1e6 / 3
