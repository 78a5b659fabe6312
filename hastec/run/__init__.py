"""Tables, plans and launches."""
