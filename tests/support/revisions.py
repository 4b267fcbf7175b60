"""The numbers of the built-in revisions, so that no test has to be told of a newer one."""

from __future__ import annotations

from qadb.models import schema
from qadb.revisions.catalogue import BASE, read_catalogue

REVISIONS = tuple(r.revision for r in read_catalogue(schema.migrations).revisions)
BEFORE_HEAD, HEAD = REVISIONS[-2:]
AFTER_HEAD = f"{int(HEAD) + 1:03}"  # what only a newer qadb knows

STOPS = (BASE, *REVISIONS)  # wherever a database can stand
BEHIND = STOPS[:-1]
