"""Apple Create ML JSON."""
