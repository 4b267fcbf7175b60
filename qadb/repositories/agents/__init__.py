"""Agents and language models: what they did, decided and look things up in."""
