"""Detectors look at the values of literals. What a finding of theirs means is judged in Rego."""

from ecs_admission.project.detectors.protocol import Batch, Detector, Leaf, Signal

__all__ = ["Batch", "Detector", "Leaf", "Signal"]
