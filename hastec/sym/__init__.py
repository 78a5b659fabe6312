"""Size arithmetic, intervals and bounds."""
