"""Checks of whole programs: every stage and every kernel against what the program means."""
