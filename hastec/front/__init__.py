"""Syntax tree to graph: names, sizes, indices, types."""
