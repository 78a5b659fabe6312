"""The integrity-checked store of compiled programs and its keys."""
