"""Tests of the image that `tools/image` built. `make image` runs them and says its name in TEST_IMAGE.

They need root, and are not among those of `make test`, which needs neither that nor a build of two minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.image.container import Image, mounted

collect_ignore_glob = [] if "TEST_IMAGE" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image, with its files where they can be read and run."""
    with mounted(os.environ["TEST_IMAGE"]) as image:
        yield image
