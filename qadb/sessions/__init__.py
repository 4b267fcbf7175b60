"""Units of work: sessions that keep to one tenant, and the proof that they do."""
