"""The distributions in ``third_party`` are tested where they are installed: see ``test_third_party``."""

collect_ignore = ["third_party"]
