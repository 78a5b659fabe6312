"""Explanations: what was chosen for a program, why, at what price, and every stage as text."""
