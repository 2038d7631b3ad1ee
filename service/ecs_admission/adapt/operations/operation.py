"""What there is to say of an operation that is judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the ECS API, with Kubernetes' words for it.

    `resource` and `kind` name what it writes and `verbs` what it does to that, as an AdmissionReview may say. Where
    two operations share them, a review has to name the operation itself.
    """

    name: str
    resource: str
    kind: str
    verbs: frozenset[str]
