"""Region and schedule to kernel."""
