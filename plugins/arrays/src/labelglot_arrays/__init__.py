"""Data sets whose pixels stand in arrays inside the files: MNIST's IDX files and CIFAR's pickles."""

from labelglot_arrays.cifar import Cifar
from labelglot_arrays.mnist import Mnist

__all__ = ["Cifar", "Mnist"]
