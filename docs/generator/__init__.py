"""Writes the reference pages from the code: the models' metadata and the command line's verbs."""
