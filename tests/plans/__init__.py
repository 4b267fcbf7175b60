"""Tests of what the engines' planners make of a large database."""
