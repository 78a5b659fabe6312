"""Honest measurement, choice and records."""
