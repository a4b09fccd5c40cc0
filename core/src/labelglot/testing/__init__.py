"""Proof for formats: strategies from a declaration, round trips, loss exactness - for any format, ours or yours."""
