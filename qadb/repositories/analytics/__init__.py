"""Figures across tables and rooms, as ``qadb stats`` shows them."""
