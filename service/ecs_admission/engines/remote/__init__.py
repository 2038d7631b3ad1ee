"""Bundles from elsewhere, one module for each kind of source. A source is asked with the tag of what it gave before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from ecs_admission.errors import PolicyError
from ecs_admission.places import Remote

MAX_BYTES: Final = 16 * 1024 * 1024
"""Of a bundle, packed. The pack that ships is a sixtieth of this."""

DEADLINE_SECONDS: Final = 20.0
"""For the whole of a question and its answer."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A bundle, packed, and the source's tag of it; None where it has none."""

    content: bytes = field(repr=False)
    etag: str | None


class Source(Protocol):
    """Where a bundle is got from."""

    def fetch(self, etag: str | None) -> Fetched | None:
        """The bundle there, None where it is still the one of this tag. Raises `PolicyUnavailableError`."""


def open_source(remote: Remote) -> Source:
    """The source at a URL. Raises `PolicyError` for a URL that cannot be one."""
    if remote.problem is not None:
        raise PolicyError(remote.problem)
    if remote.parts.scheme == "s3":
        from ecs_admission.engines.remote.s3 import S3Source

        return S3Source.at(remote)
    from ecs_admission.engines.remote.http import HttpSource

    return HttpSource(remote)
