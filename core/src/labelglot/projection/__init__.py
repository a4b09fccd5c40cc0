"""Projection: reduce a dataset to what a target holds, with every reduction on record."""

from labelglot.projection.labels import LabelPlan, project_labels
from labelglot.projection.ladder import bounds, convert
from labelglot.projection.naming import NamePlan
from labelglot.projection.project import (
    Plan,
    Projected,
    ProjectedDataset,
    SampleReducer,
    project,
    project_dataset,
)

__all__ = [
    "LabelPlan", "NamePlan", "Plan", "Projected", "ProjectedDataset", "SampleReducer", "bounds", "convert", "project",
    "project_dataset", "project_labels",
]  # fmt: skip
