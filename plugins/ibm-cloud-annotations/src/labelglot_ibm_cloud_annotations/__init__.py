"""IBM Cloud Annotations (``ibm-cloud-annotations``)."""

from labelglot_ibm_cloud_annotations.ibm_cloud_annotations import IbmCloudAnnotations

__all__ = ["IbmCloudAnnotations"]
