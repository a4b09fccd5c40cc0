"""CrowdHuman ODGT."""

from labelglot_crowdhuman.crowdhuman import CrowdHuman

__all__ = ["CrowdHuman"]
