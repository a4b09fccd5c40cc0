"""Amazon SageMaker Ground Truth (``sagemaker``) and Rekognition Custom Labels (``rekognition``) manifests."""

from labelglot_aws.rekognition import Rekognition
from labelglot_aws.sagemaker import SageMaker

__all__ = ["Rekognition", "SageMaker"]
