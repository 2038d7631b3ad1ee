"""Fixtures of every test. Real components wherever they can be had."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ecs_admission import telemetry
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack, load_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.detectors.native import NativeDetector, read_tokens
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey, make_key
from ecs_admission.review import Reviewer, do_not_record
from ecs_admission.revision import Revision, prepare

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs OPA where there is none to be had. CI must have one, so there the tests fail instead."""
    needing = [item for item in items if item.get_closest_marker("opa")]
    if not needing or os.environ.get("CI") == "true":
        return
    if subprocess.run([ROOT / "tools" / "opa"], capture_output=True, check=False).returncode != 0:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no OPA: tools/opa says how to get one"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that sets up the service's logging leaves nothing of it to the next, which may look at what is printed."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each).__module__ == telemetry.__name__]:
        root.removeHandler(handler)
        logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def pack() -> Pack:
    """The pack that ships."""
    return load_pack()


@pytest.fixture(scope="session")
def key() -> FingerprintKey:
    """A fingerprint key for tests, the same in each run."""
    return make_key(bytes(range(32)))


@pytest.fixture(scope="session")
def detectors(pack: Pack) -> tuple[Detector, ...]:
    """The detectors of the service."""
    return NativeDetector(read_tokens(pack.config)), KingfisherDetector()


@pytest.fixture(scope="session")
def embedded(pack: Pack) -> Iterator[EmbeddedEngine]:
    """The embedded engine with the pack that ships."""
    engine = EmbeddedEngine(pack, threads=2, deadline_seconds=30.0)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def revision(
    pack: Pack, embedded: EmbeddedEngine, detectors: tuple[Detector, ...], key: FingerprintKey
) -> Revision:  # fmt: skip
    """The revision that ships, ready to judge."""
    return prepare(pack, engine=embedded, detectors=detectors[1:], key=key, now=0)


@pytest.fixture(scope="session")
def reviewer(revision: Revision) -> Reviewer:
    """The whole pipeline in process, recording nothing and letting no error pass unseen."""

    def fail(error: Exception) -> None:
        raise error

    return Reviewer(revision, inventory=NoInventory(), recorder=do_not_record, on_error=fail)
