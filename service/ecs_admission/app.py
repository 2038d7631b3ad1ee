"""The composition root: the only place that builds things and wires them. Nothing is built at import."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecs_admission.decision_log.connections import database_file
from ecs_admission.decision_log.durability import check_data_dir
from ecs_admission.decision_log.entries import EntryDraft, NodeKind, build_node_draft
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.pack import Pack, load_pack
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.governance import read_governance
from ecs_admission.http import create_flask
from ecs_admission.model import new_decision_id
from ecs_admission.project.detectors.kingfisher import KingfisherDetector, warm_cache
from ecs_admission.project.detectors.native import NativeDetector, read_tokens
from ecs_admission.project.fingerprints import load_or_create_key
from ecs_admission.project.projection import Projector
from ecs_admission.review import Reviewer
from ecs_admission.revision import prepare
from ecs_admission.settings import Settings
from ecs_admission.telemetry import log_error

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the service. `close` says in the log that it stopped, so that its chain has an end."""

    app: Flask
    log: DecisionLog
    engine: PolicyEngine
    revision: str

    def close(self) -> None:
        """Stop writing and let go of everything. Safe to call when the log cannot be written any more."""
        self.engine.close()
        try:
            self.log.close(stop=node_entry("node_stop", self.engine.name, self.revision))
        except RecordUnavailableError as error:
            log_error(error)


def create_service(settings: Settings, *, unreadable: tuple[type[Exception], ...] = ()) -> Service:
    """Build a process of the service, after fork. Raises `SettingsError`, `PolicyError` or `RecordUnavailableError`.

    `unreadable` are the errors that the HTTP server raises for a body whose framing is broken.
    """
    prepare_data_dir(settings)
    pack = load_pack(settings.policies)
    engine = make_engine(settings, pack)
    revision = prepare(
        pack,
        engine=engine,
        detectors=(KingfisherDetector(),),
        key=load_or_create_key(settings.key_file),
    )
    log = DecisionLog.open(
        settings.log_url,
        writer=new_decision_id(),
        start=node_entry("node_start", engine.name, revision.id),
        timeout_seconds=settings.record_deadline_seconds,
    )
    reviewer = Reviewer(
        revision,
        inventory=NoInventory(),
        recorder=lambda draft: log.append(draft, deadline_seconds=settings.record_deadline_seconds),
        on_error=log_error,
    )
    return Service(create_flask(reviewer, log.reader, unreadable), log, engine, revision.id)


def check_start(settings: Settings) -> Pack:
    """What can be found out before the first worker starts: a data folder or a pack that cannot serve.

    Also has the detector's rules compiled once, so that the workers find them in its cache.
    Raises `SettingsError` or `PolicyError`.
    """
    prepare_data_dir(settings)
    key = load_or_create_key(settings.key_file)
    pack = load_pack(settings.policies)
    read_governance(pack.data, pack.catalogue)
    Projector(pack.config, (NativeDetector(read_tokens(pack.config)),), key)
    if settings.engine == "opa":
        make_engine(settings, pack)  # connects to nothing yet, and refuses a URL that it cannot use
    warm_cache()
    return pack


def make_engine(settings: Settings, pack: Pack) -> PolicyEngine:
    """The engine that the settings name."""
    if settings.engine == "opa":
        from ecs_admission.engines.opa import OpaEngine

        return OpaEngine(
            settings.opa_url, threads=settings.threads, deadline_seconds=settings.engine_deadline_seconds
        )  # fmt: skip
    from ecs_admission.engines.embedded import EmbeddedEngine

    return EmbeddedEngine(pack, threads=settings.threads, deadline_seconds=settings.engine_deadline_seconds)


def prepare_data_dir(settings: Settings) -> None:
    """Make the folders of the data, and refuse those in which a record is not durable. Raises `SettingsError`."""
    for folder in {settings.data_dir, database_file(settings.log_url).parent}:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"the data folder {folder} cannot be made: {error.strerror}") from None
        check_data_dir(folder, unsafe_ephemeral=settings.unsafe_ephemeral_data_dir)


def node_entry(kind: NodeKind, engine: str, revision: str) -> EntryDraft:
    """The entry that says that this process starts or stops writing."""
    return build_node_draft(
        kind,
        entry_id=new_decision_id(),
        time_us=time.time_ns() // 1000,
        engine=engine,
        revision=revision,
    )
