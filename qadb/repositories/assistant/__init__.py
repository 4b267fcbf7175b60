"""What users have with the assistant: conversations, notes, calendars."""
