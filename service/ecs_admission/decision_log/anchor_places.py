"""Which anchor a setting names."""

from __future__ import annotations

from pathlib import Path

from ecs_admission.decision_log.anchors import Anchor, FolderAnchor
from ecs_admission.errors import SettingsError


def anchor_at(where: str, *, retention_days: int) -> Anchor:
    """The anchor that a setting names: a folder, or `s3://bucket/prefix`. Raises `SettingsError`.

    `retention_days` is how long a bucket locks what it gets; a folder has no locks.
    """
    if where.startswith("s3://"):
        from ecs_admission.decision_log.anchors_s3 import S3Anchor  # who anchors to a folder does not wait for boto3

        return S3Anchor.at(where, retention_days=retention_days)
    if "://" in where:
        raise SettingsError("an anchor is a folder, or s3://BUCKET/PREFIX")
    return FolderAnchor(Path(where).absolute())
