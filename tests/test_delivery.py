"""A bundle that is followed: got, verified, kept; what is wrong at the source leaves what judges, also at a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.activation import Activation
from ecs_admission.delivery import Delivery, Serials, store_in
from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.format import write_archive
from ecs_admission.engines.bundles.keys import read_public_keys
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.remote.http import HttpSource
from ecs_admission.errors import PolicyError
from ecs_admission.places import Remote
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.revision import Revision, prepare
from ecs_admission.serials import History, Mark, Rollback
from ecs_admission.tripwires import check_revision
from tests.engines.bundles.released import new_key, public_key_file, released, revision_of
from tests.engines.layers import folder
from tests.engines.remote_server import BundleServer, serving_bundles
from tests.layered import NOW
from tests.test_activation import Watched

SOFT: dict[str, Any] = {"accounts": {"111122223333": "dev"}}
SOFTER: dict[str, Any] = {"accounts": {"111122223333": "test"}}


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with serving_bundles() as running:
        running.content = released(5)
        yield running


class Node:
    """A service's following: starts again and again over one data folder and one log."""

    def __init__(self, data_dir: Path, server: BundleServer, prepare: Callable[[Pack], Revision]) -> None:
        self.data_dir, self.server, self.prepare = data_dir, server, prepare
        self.history = History()
        self.layers: list[Path] = []
        self.activation: Activation | None = None

    def start(self) -> Activation:
        store = store_in(self.data_dir)
        serials = Serials(store, self.history)
        serials.read_history = lambda: self.history
        serials.read_rollback = lambda: self.history.rollback
        remote = Remote(self.server.url)
        keys = read_public_keys(public_key_file())
        delivery = Delivery(HttpSource(remote), store, serials, keys=keys, name=remote.url)
        self.activation = Activation(
            [remote, *self.layers], self.prepare, clock=lambda: NOW, delivery=delivery, serials=serials
        )
        return self.activation

    def publish(self, content: bytes | None) -> str | None:
        """Publish, look, and say why it was refused."""
        assert self.activation is not None
        self.server.content = content
        self.activation.check()
        return self.activation.refused.reason.partition(": ")[2] if self.activation.refused else None

    @property
    def mark(self) -> Mark | None:
        assert self.activation is not None
        return self.activation.active.mark


@pytest.fixture
def node(tmp_path: Path, server: BundleServer, detectors: tuple[Detector, ...], key: FingerprintKey) -> Node:
    def make(pack: Pack) -> Revision:
        revision = prepare(pack, engine=Watched(pack), detectors=detectors[1:], key=key, now=NOW)
        check_revision(revision)
        return revision

    return Node(tmp_path, server, make)


def test_what_the_source_has_judges_and_is_asked_for_by_its_tag(node: Node, server: BundleServer) -> None:
    active = node.start().active
    assert (active.mark, active.highest) == (Mark(5, revision_of(5)),) * 2
    assert active.signed is not None
    assert active.signed.content == server.content
    for _ in range(2):
        assert node.publish(server.content) is None
    assert server.statuses == [200, 304, 304]
    assert node.publish(released(6, **SOFT)) is None
    assert node.mark == Mark(6, revision_of(6, **SOFT))


def test_a_layer_of_data_is_laid_over_it(node: Node, tmp_path: Path) -> None:
    node.layers = [folder(tmp_path / "layer", {"config/words/data.yaml": "secret: [sesame]\n"})]
    active = node.start().active
    assert active.revision.id != revision_of(5)
    assert (active.mark, active.signed) == (Mark(5, revision_of(5)), None)


def test_what_is_wrong_at_the_source_leaves_what_judges(node: Node, tmp_path: Path) -> None:
    node.start()
    other = new_key(tmp_path / "other.pem")
    altered = write_archive(unpack(released(6)) | {"admission/main.rego": b"package admission.main\n"})
    for content, told in (
        (None, "answered with status 404"),
        (released(6, is_signed=False), "the bundle is not signed"),
        (released(6, key=other), "the bundle is signed with none of the keys that it may be signed with"),
        (altered, "admission/main.rego: is not the file that was signed"),
        (b"x", "the policy pack is damaged"),
        (released(4), "serial 4 is older than 5, which was active: `policies rollback` goes back"),
        (released(5, **SOFT), "serial 5 was that of other policies: build them with a larger --serial"),
    ):
        assert node.publish(content) == told
        assert node.publish(content) == told
        assert node.mark == Mark(5, revision_of(5))
    assert node.publish(released(5)) is None


def test_the_last_good_one_judges_where_a_start_finds_nothing_better(node: Node, server: BundleServer) -> None:
    node.start()
    assert node.publish(released(7, **SOFT)) is None
    for content in (None, b"x", released(6)):
        server.content = content
        activation = node.start()
        assert node.mark == Mark(7, revision_of(7, **SOFT))
        assert activation.refused is not None
        assert activation.refused.reason.endswith("; meanwhile the last good bundle judges, serial 7")
    # The source is back, with what judges already and then with something newer.
    assert node.publish(released(7, **SOFT)) is None
    assert node.publish(released(8)) is None
    assert node.mark == Mark(8, revision_of(8))


def test_the_last_good_one_is_verified_again(node: Node, server: BundleServer, tmp_path: Path) -> None:
    node.start()
    (kept,) = (tmp_path / "policies").glob("*.tar.gz")
    kept.write_bytes(released(5, is_signed=False))
    server.content = None
    with pytest.raises(PolicyError, match="answered with status 404"):
        node.start()
    kept.write_bytes(released(4))
    with pytest.raises(PolicyError, match="answered with status 404"):
        node.start()


def test_there_is_no_start_without_any_bundle(node: Node, server: BundleServer) -> None:
    server.content = None
    with pytest.raises(PolicyError, match="answered with status 404"):
        node.start()


def test_the_highest_serial_outlives_the_folder_and_the_log(node: Node, server: BundleServer, tmp_path: Path) -> None:
    node.start()
    assert node.publish(released(7, **SOFT)) is None
    server.content = released(6)
    # The log was lost: the folder knows, and its newest bundle judges.
    node.start()
    assert node.mark == Mark(7, revision_of(7, **SOFT))
    # The folder was emptied: the log knows, and there is nothing that may judge.
    node.history = History(Mark(7, revision_of(7, **SOFT)))
    for file in (tmp_path / "policies").iterdir():
        file.unlink()
    with pytest.raises(PolicyError, match="serial 6 is older than 7"):
        node.start()
    (tmp_path / "policies" / "highest.json").write_text("{}")
    with pytest.raises(PolicyError, match="highest\\.json: is damaged"):
        node.start()


def test_another_process_that_went_further_is_heard_of(node: Node) -> None:
    node.start()
    node.history = History(Mark(9, "sha256:of-another-node"))
    assert node.publish(released(8)) == "serial 8 is older than 9, which was active: `policies rollback` goes back"


def test_a_rollback_judges_by_the_bundle_that_was_kept(node: Node, server: BundleServer) -> None:
    node.start()
    good, bad = Mark(5, revision_of(5)), Mark(7, revision_of(7, **SOFT))
    assert node.publish(released(7, **SOFT)) is None
    node.history = History(bad, Rollback("e1", bad, good))
    assert node.publish(server.content) is None
    assert node.mark == good
    # It lasts, also over a start and whatever the source says, until that has something newer.
    node.start()
    assert node.mark == good
    assert node.publish(released(6, **SOFTER)) is None
    assert node.mark == good
    assert node.publish(released(8, **SOFTER)) is None
    assert node.mark == Mark(8, revision_of(8, **SOFTER))
    assert node.publish(released(5)) == "serial 5 is older than 8, which was active: `policies rollback` goes back"


def test_only_some_bundles_are_kept(node: Node, tmp_path: Path) -> None:
    node.start()
    store = store_in(tmp_path)
    for serial in range(6, 20):
        store.save(Mark(serial, f"sha256:{serial:064}"), b"x")
    assert [mark.serial for mark, _ in store.bundles()] == list(range(19, 9, -1))
