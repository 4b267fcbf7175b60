"""Assistant: what people asked the bot, noted down and have to do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from qadb.demo.plan import DAYS, Batch, Row, Scene, batch
from qadb.models import Conversation, Event, MessageHistory, Note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

CONVERSATIONS = 9
MOST_MESSAGES = 5
BETWEEN_MESSAGES = timedelta(minutes=2)

# intent, what is said, what is answered, how sure the bot was
_TALK = (
    ("greeting", "Good morning!", "Good morning. What shall I look up?", 0.99),
    ("failed_tests", "What failed last night?", "Three tests of the voucher suite.", 0.93),
    ("explain_failure", "Why?", "The session no longer carries the voucher.", 0.71),
    ("slow_tests", "Which tests got slower?", "Sorting a large result, by a third.", 0.88),
    ("coverage", "How is coverage?", "At 79 %, up eight points this month.", 0.95),
    ("unknown", "Würfelst du?", "I did not understand that.", 0.22),
)

# title, content, tags, category, pinned
_NOTES = (
    ("Stand-up", "Voucher bug first; ask Jules about the session.", ["team"], "meeting", True),
    ("Café list", "Crème brûlée for everyone once coverage passes 80 %.", ["fun"], None, False),
    ("Größentabelle", "Cut off below 360 px; Gerda has a screenshot.", ["ui", "bug"], "bug", False),
    ("Résumé of the outage", "The test database restarted twice. Naïve waiting did not help.",
     ["infrastructure"], "report", False),
    ("Ideas", "Measure refunds under load as well.", ["performance"], None, False),
)  # fmt: skip

# title, starts in so many days (negative: before), lasts minutes, recurrence
_EVENTS = (
    ("Stand-up", -28.0, 15, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    ("Release", -24.0, 60, "FREQ=WEEKLY;BYDAY=TU"),
    ("Review of flaky tests", -20.0, 45, "FREQ=MONTHLY;BYDAY=1WE"),
    ("Outage, looking back", -6.0, 60, None),
    ("Load test before the sale", 4.0, 180, None),
    ("Quarter's planning", 12.0, 240, "FREQ=MONTHLY;INTERVAL=3"),
)


def assistant(scene: Scene) -> Iterator[Batch]:
    """Conversations with their messages, notes, events."""
    rng = scene.rng("assistant")
    conversations: list[Row] = []
    messages: list[Row] = []
    for number in range(CONVERSATIONS):
        _talk(scene, rng, number, conversations, messages)
    yield batch(Conversation, conversations)
    yield batch(MessageHistory, messages)
    yield batch(Note, [*_notes(scene)])
    yield batch(Event, [*_events(scene)])


def _people(scene: Scene) -> list[int]:
    return [scene.users[person.username] for person in scene.company.people[:3]]


def _talk(
    scene: Scene, rng: Random, number: int, conversations: list[Row], messages: list[Row]
) -> None:
    began = scene.plan.ago(DAYS * (1 - (number + rng.random()) / (CONVERSATIONS + 1)))
    user_id = rng.choice(_people(scene))
    said = rng.sample(_TALK, rng.randint(2, MOST_MESSAGES))
    last = began + BETWEEN_MESSAGES * (len(said) - 1)
    row = scene.row(
        Conversation,
        began,
        session_id=f"chat-{number + 1:03}",
        user_id=user_id,
        current_state="idle" if number % 3 else "waiting_for_answer",
        context_data={"application": scene.company.apps[0].code},
        last_activity_at=last,
    )
    conversations.append(row)
    conversation_id = scene.counted[Conversation.__tablename__]
    for place, (intent, question, answer, confidence) in enumerate(said):
        messages.append(
            scene.row(
                MessageHistory,
                began + BETWEEN_MESSAGES * place,
                conversation_id=conversation_id,
                user_id=user_id,
                user_message=question,
                bot_response=answer,
                intent_detected=intent,
                entities_extracted={"words": len(question.split())},
                confidence_score=confidence,
            )
        )


def _notes(scene: Scene) -> Iterator[Row]:
    people = _people(scene)
    for place, (title, content, tags, category, is_pinned) in enumerate(_NOTES):
        yield scene.row(
            Note,
            scene.plan.ago(DAYS - 5 * place - 1),
            user_id=people[place % len(people)],
            title=title,
            content=content,
            tags=tags,
            category=category,
            is_pinned=is_pinned,
        )


def _events(scene: Scene) -> Iterator[Row]:
    people = _people(scene)
    for place, (title, in_days, minutes, recurrence_rule) in enumerate(_EVENTS):
        starts_at = _on_the_hour(scene.plan.ago(-in_days))
        yield scene.row(
            Event,
            scene.plan.ago(DAYS),
            user_id=people[place % len(people)],
            title=title,
            description=None,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=minutes),
            recurrence_rule=recurrence_rule,
            extra_data={"room": "Elbe"},
        )


def _on_the_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
