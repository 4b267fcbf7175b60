"""Searches among many vectors in a process of its own; prints how many megabytes that took.

Run as ``python -m tests.repositories.vector_child URL``.
"""

from __future__ import annotations

import sys

from qadb.repositories.agents.rag_documents import RAGDocumentRepository
from tests.reports.memory_child import peak_megabytes
from tests.sessions.places import open_database

DIMENSION = 384


def main() -> None:
    """Search twice: what is loaded once and for all is not counted."""
    with open_database(sys.argv[1]) as database, database.session(tenant="acme") as session:
        documents = RAGDocumentRepository(session)
        asked = [1.0, *[0.5] * (DIMENSION - 1)]
        documents.nearest(asked, document_id="small")
        before = peak_megabytes()
        found = documents.nearest(asked, 3)
        sys.stdout.write(f"{len(found)} {peak_megabytes() - before:.1f}\n")


if __name__ == "__main__":
    main()
