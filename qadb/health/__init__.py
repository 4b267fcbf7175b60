"""Health: one catalogue of checks, and what runs them."""
