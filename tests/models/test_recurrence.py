"""Which texts are a recurrence rule of RFC 5545, to the model and to the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from qadb.models import Event

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Most are examples of the RFC, section 3.8.5.3.
VALID = (
    "FREQ=DAILY;COUNT=10",
    "FREQ=DAILY;UNTIL=19971224T000000Z",
    "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
    "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
    "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
    "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
    "FREQ=MONTHLY;BYMONTHDAY=-3",
    "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z",
    "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
    "BYSECOND=0,30,60;FREQ=SECONDLY;UNTIL=20261122",
    "FREQ=DAILY;BYHOUR=9;BYSECOND=60",
    "FREQ=HOURLY;INTERVAL=2;BYHOUR=1,3",
    "FREQ=WEEKLY;UNTIL=20261122T101500",
    "FREQ=YEARLY;BYDAY=+20MO,-1SU;BYSETPOS=-366,366",
)

# True: the database refuses it as well; it does not look into the parts.
INVALID = {
    "": True,
    "every day": True,
    "RRULE:FREQ=DAILY": True,
    "freq=daily": True,
    "FREQ=FORTNIGHTLY": True,
    "COUNT=3": True,
    "FREQ=DAILY; COUNT=3": True,
    "FREQ=DAILY\nCOUNT=3": True,
    "FREQ=DAILY;": False,
    "FREQ=DAILY;FREQ=WEEKLY": False,
    "FREQ=DAILY;COUNT=0": False,
    "FREQ=DAILY;COUNT=3;UNTIL=20261122": False,
    "FREQ=DAILY;INTERVAL=-1": False,
    "FREQ=DAILY;UNTIL=2026-11-22": False,
    "FREQ=WEEKLY;BYDAY=XX": False,
    "FREQ=MONTHLY;BYMONTHDAY=32": False,
    "FREQ=DAILY;BYHOUR=24": False,
    "FREQ=DAILY;BYEASTER=1": False,
    "FREQ=DAILY;UNTIL=20261399": False,
    "FREQ=DAILY;UNTIL=20261122T250000Z": False,
    "FREQ=YEARLY;BYDAY=MO;BYSETPOS=367": False,
}


@pytest.mark.parametrize("rule", VALID)
def test_rules_of_the_standard_are_taken(filled: Connection, rule: str) -> None:
    assert Event(recurrence_rule=rule).recurrence_rule == rule
    filled.exec_driver_sql(f"UPDATE events SET recurrence_rule = '{rule}'")


@pytest.mark.parametrize("rule", INVALID)
def test_the_model_refuses_what_is_no_rule(rule: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)events\.recurrence_rule: .*\(RFC 5545\)"):
        Event(recurrence_rule=rule)


@pytest.mark.parametrize("rule", [rule for rule, is_seen in INVALID.items() if is_seen])
def test_the_database_refuses_what_cannot_be_a_rule(filled: Connection, rule: str) -> None:
    with pytest.raises(IntegrityError, match="ck_events_recurrence_rule_rfc5545"):
        filled.exec_driver_sql(f"UPDATE events SET recurrence_rule = '{rule}'")
