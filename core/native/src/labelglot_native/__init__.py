"""The compiled part of labelglot. ``labelglot_native.rows`` is there where it could be built."""
