"""The bundle that a service follows: got from its source, verified, kept on disk, and never an older one unasked.

What is got is used in three steps. `look` asks the source and verifies what it gives, `pack` says which bundle is to
judge now (that of the source, or the one that a rollback named), and `keep` makes durable that it was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ecs_admission.engines.bundles.keys import BundleKey
from ecs_admission.engines.bundles.stored import Store
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.remote import Source
from ecs_admission.engines.remote.bundle import read_bundle
from ecs_admission.errors import PolicyError
from ecs_admission.serials import History, Mark, Rollback, check_serial, later


class Serials:
    """What was active, as data folder, decision log and this process know it: whichever says the most counts."""

    def __init__(self, store: Store, history: History) -> None:
        """`history` is what the decision log says."""
        self._store = store
        self._known = history
        self.read_rollback: Callable[[], Rollback | None] = lambda: history.rollback
        self.read_history: Callable[[], History] = lambda: history

    @property
    def history(self) -> History:
        """All of it. Raises `PolicyError` where the folder's part is damaged."""
        return replace(self._known, highest=later(self._store.highest(), self._known.highest))

    def look(self) -> Hashable:
        """Ask the log for a rollback; the result changes with it. Raises `RecordUnavailableError`."""
        self._known = replace(self._known, rollback=self.read_rollback())
        return self._known.rollback

    def refresh(self) -> None:
        """Ask the log for what other processes have activated. Raises `RecordUnavailableError`."""
        found = self.read_history()
        self._known = replace(found, highest=later(self._known.highest, found.highest))

    def check(self, mark: Mark | None) -> None:
        """Raise `PolicyError` where a bundle may not become active. What has no serial is not compared."""
        if mark is not None:
            check_serial(mark, self.history)

    def keep(self, mark: Mark | None) -> None:
        """Make durable that a bundle was taken. Raises `PolicyUnavailableError`."""
        if mark is not None:
            self._store.raise_to(mark)
            self._known = replace(self._known, highest=later(self._known.highest, mark))


@dataclass(frozen=True, slots=True)
class _Got:
    """What a source gave: a bundle that is verified, or why it is none."""

    tag: str | None
    content: bytes = field(repr=False)
    pack: Pack | None
    problem: str | None


class Delivery:
    """Follows one source. `keys` are those that a bundle may be signed with; with none it need not be signed."""

    def __init__(self, source: Source, store: Store, serials: Serials, *, keys: Sequence[BundleKey], name: str) -> None:
        self._source = source
        self._store = store
        self._serials = serials
        self._keys = tuple(keys)
        self._name = name
        self._got: _Got | None = None

    def look(self) -> Hashable:
        """Ask the source; the result changes with what it gives. Raises `PolicyUnavailableError`."""
        fetched = self._source.fetch(self._got.tag if self._got else None)
        if fetched is not None and (self._got is None or fetched.content != self._got.content):
            self._got = self._verified(fetched.content, fetched.etag)
        elif fetched is not None and self._got is not None:
            self._got = replace(self._got, tag=fetched.etag)
        return None if self._got is None else (self._got.content, self._got.problem)

    def pack(self) -> Pack:
        """The bundle that is to judge. Raises `PolicyError` that says why the one at the source is not."""
        pack, problem = self._at_source()
        if pack is not None:
            return pack
        back = self._serials.history.in_force
        stored = self._stored(back.to) if back is not None else None
        if stored is None:
            raise PolicyError(f"{self._name}: {problem}")
        return stored

    def _at_source(self) -> tuple[Pack | None, str | None]:
        """The bundle that the source gave, or why it may not judge."""
        got = self._got
        if got is None or got.pack is None:
            return None, got.problem if got else "nothing was got yet"
        try:
            self._serials.check(got.pack.mark)
        except PolicyError as error:
            return None, str(error)
        return got.pack, None

    def last_good(self) -> Pack | None:
        """The newest bundle that is kept, verifies again and may still judge; None where there is none."""
        for mark, _ in self._store.bundles():
            try:
                self._serials.check(mark)
            except PolicyError:
                continue
            pack = self._stored(mark)
            if pack is not None:
                return pack
        return None

    def keep(self, pack: Pack) -> None:
        """Keep the bundle that `pack` came from. Raises `PolicyUnavailableError`: what cannot be kept is not taken."""
        got = self._got
        if got is not None and got.pack is not None and got.pack.mark == pack.mark and pack.mark is not None:
            self._store.save(pack.mark, got.content)

    def _verified(self, content: bytes, tag: str | None) -> _Got:
        try:
            return _Got(tag, content, read_bundle(content, self._keys), None)
        except PolicyError as error:
            return _Got(tag, content, None, str(error))

    def _stored(self, mark: Mark) -> Pack | None:
        """A bundle that is kept, verified again: the folder is no proof of what is in it."""
        try:
            content = self._store.read(mark)
            pack = None if content is None else read_bundle(content, self._keys)
        except PolicyError:
            return None
        return pack if pack is not None and pack.mark == mark else None


def store_in(data_dir: Path) -> Store:
    """Where a service with that data folder keeps bundles."""
    return Store(data_dir / "policies")
