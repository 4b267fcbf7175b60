"""Runs revisions in a process that is killed: ``python -m tests.revisions.migrate_child``.

Takes a URL, a folder of revisions and the one to end at. The server is to notice soon that this
process is gone, lest the test wait as long as it would in earnest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qadb.backends.postgresql import connector
from tests.revisions.running import go_up
from tests.support.databases import open_database
from tests.support.revision_folders import schema_of


def main() -> None:
    url, folder, target = sys.argv[1:]
    connector.LOST_CLIENT_INTERVAL = "100ms"
    with open_database(url, schema_of(Path(folder))) as database:
        go_up(database, target)


if __name__ == "__main__":
    main()
