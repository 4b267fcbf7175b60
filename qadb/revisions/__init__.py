"""All that runs Alembic: which revisions there are, what is applied, going up and down."""
