"""Microsoft VoTT JSON and CSV."""
