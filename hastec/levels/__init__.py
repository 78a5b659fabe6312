"""What a table can do: one file a level, one a code."""
