"""What a processor can do, as data."""
