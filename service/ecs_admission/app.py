"""The composition root: the only place that builds things and wires them. Nothing is built at import."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Literal

from ecs_admission.activation import Activation, Prepare, follow
from ecs_admission.auth.tokens import load_or_create_pepper
from ecs_admission.decision_log.connections import database_file, database_folder
from ecs_admission.decision_log.durability import check_data_dir
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.policy_history import read_history, read_rollback
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.starts import check_fingerprint_key, sealer_key
from ecs_admission.decision_log.store import DecisionLog, check_database
from ecs_admission.decision_log.token_store import TokenReader
from ecs_admission.delivery import Delivery, Serials, store_in
from ecs_admission.engines.bundles.keys import read_public_keys
from ecs_admission.engines.pack import Pack
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.engines.remote import open_source
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import AdmissionError, PolicyError, RecordUnavailableError, SettingsError
from ecs_admission.fitness import Fitness
from ecs_admission.http import create_flask
from ecs_admission.http.auth import Access
from ecs_admission.http.bundles import ServedPolicies
from ecs_admission.journal import Journal, start_entry, stop_entry
from ecs_admission.model import Standing, new_decision_id
from ecs_admission.observation import InternalError, Observe, PoliciesState, Recorded, unobserved
from ecs_admission.places import Remote
from ecs_admission.policies import Policies, load_policies
from ecs_admission.project.detectors.kingfisher import KingfisherDetector, warm_cache
from ecs_admission.project.fingerprints import load_or_create_key, load_or_create_keys
from ecs_admission.review import Recorder, Reviewer
from ecs_admission.revision import Revision, prepare
from ecs_admission.serials import History
from ecs_admission.settings import Settings, is_local
from ecs_admission.telemetry import log_error
from ecs_admission.tls import server_context
from ecs_admission.tracing import Trace, check_installed, untraced
from ecs_admission.tripwires import check_revision

if TYPE_CHECKING:
    from flask import Flask

    from ecs_admission.auth.proxies import TrustedProxies
    from ecs_admission.auth.rules import AuthRules


_REPORT_SECONDS = 1.0
_FITNESS_LOOK_SECONDS = 0.5
"""How often it is looked whether policies are to be tried: once a minute, and soon again where they are not fit."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the service. `close` says in the log that it stopped, so that its chain has an end."""

    app: Flask
    log: DecisionLog
    reviewer: Reviewer
    stop_following: Event
    access: Access

    def close(self) -> None:
        """Stop writing and let go of everything. Safe to call when the log cannot be written any more."""
        self.stop_following.set()
        self.access.close()
        revision = self.reviewer.revision
        revision.engine.close()
        try:
            self.log.close(stop=stop_entry(revision))
        except RecordUnavailableError as error:
            log_error(error)


def create_service(
    settings: Settings,
    *,
    unreadable: tuple[type[Exception], ...] = (),
    observe: Observe = unobserved,
    trace: Trace = untraced,
    is_draining: Callable[[], bool] = lambda: False,
) -> Service:
    """Build a process of the service, after fork. Raises `SettingsError`, `PolicyError` or `RecordUnavailableError`.

    `unreadable` are the errors that the HTTP server raises for a body whose framing is broken, and `observe` is told of
    what happens. While `is_draining` the service serves and says that it is not ready.
    """
    prepare_data_dir(settings)
    is_followed = settings.engine == "opa"
    serials = Serials(store_in(settings.data_dir), _history(settings))
    activation = Activation(
        settings.policy_places,
        _preparing(settings),
        is_followed=is_followed,
        delivery=_delivery(settings, serials),
        serials=serials,
    )
    fitness = Fitness(activation, is_tried=not is_followed)
    log_key, keys = load_or_create_signing_key(settings.log_key_file), _key_ids(settings)
    keys |= _keys_of_the_log(settings)
    log = DecisionLog.open(
        settings.log_url,
        writer=new_decision_id(),
        start=start_entry(activation.active, authentication=settings.authentication, keys=keys),
        log_key=log_key,
        timeout_seconds=settings.record_deadline_seconds,
        read_url=settings.log_read_url,
    )
    record = _observed(partial(log.append, deadline_seconds=settings.record_deadline_seconds), observe)
    reviewer = Reviewer(
        activation.active.revision, inventory=NoInventory(), recorder=record, on_error=partial(_note_error, observe)
    )
    journal = Journal(record, reviewer, observe)
    journal.note_changes(log.reader, keys, writer=log.writer)
    serials.read_rollback = partial(read_rollback, log.reader)
    serials.read_history = partial(read_history, log.reader)
    journal.follow(activation)
    journal.follow_fitness(fitness)
    stop = follow(activation, every_seconds=settings.policies_poll_seconds)
    follow(fitness, every_seconds=_FITNESS_LOOK_SECONDS, stop=stop)
    report = _Report(activation, fitness, observe)
    report.check()
    follow(report, every_seconds=_REPORT_SECONDS, stop=stop)
    access = _make_access(settings, log, record, observe)
    app = create_flask(
        reviewer,
        log.reader,
        unreadable,
        standing=partial(_standing, activation, fitness),
        served=lambda: ServedPolicies(activation.newest.bundle, activation.newest.signed),
        is_draining=is_draining,
        access=access,
        fingerprint_keys=load_or_create_keys(settings.key_file),
        observe=observe,
        trace=trace,
    )
    return Service(app, log, reviewer, stop, access)


def _history(settings: Settings) -> History:
    """What the log knows of bundles. Raises `RecordUnavailableError`: without it an old one might pass for new."""
    if not settings.policy_places:
        return History()
    check_database(settings.log_url, timeout_seconds=settings.record_deadline_seconds, read_url=settings.log_read_url)
    with contextlib.closing(
        LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)
    ) as reader:
        return read_history(reader)


def _delivery(settings: Settings, serials: Serials) -> Delivery | None:
    """How the bundle at a URL is followed, None where no place of the policies is one. Raises `PolicyError`."""
    first = settings.policy_places[0] if settings.policy_places else None
    if not isinstance(first, Remote):
        return None
    keys = read_public_keys(settings.policies_key_file) if settings.policies_key_file else ()
    return Delivery(open_source(first), store_in(settings.data_dir), serials, keys=keys, name=first.url)


def _standing(activation: Activation, fitness: Fitness) -> Standing:
    incoming = activation.incoming
    return Standing(fitness.unfit, activation.refused, incoming.revision.id if incoming else None)


def _observed(record: Recorder, observe: Observe) -> Recorder:
    """A recorder that tells of each entry."""

    def append(draft: EntryDraft) -> object:
        kind: Literal["decision", "event"] = "decision" if draft.document["kind"] == "decision" else "event"
        try:
            recorded = record(draft)
        except RecordUnavailableError:
            observe(Recorded(kind, is_durable=False))
            raise
        observe(Recorded(kind, is_durable=True))
        return recorded

    return append


def _note_error(observe: Observe, error: Exception) -> None:
    observe(InternalError())
    log_error(error)


@dataclass(frozen=True, slots=True)
class _Report:
    """Tells what judges now. Exceptions expire without anybody's doing, so it is told again and again."""

    activation: Activation
    fitness: Fitness
    observe: Observe

    def check(self) -> None:
        """See `Followed`."""
        active, now = self.activation.active, time.time()
        expiries = [each.expires for each in active.revision.governance.exceptions if each.expires > now]
        self.observe(
            PoliciesState(
                revision=active.revision.id,
                weakened=len(active.weakened),
                exceptions=len(expiries),
                next_expiry=min(expiries, default=None),
                is_refused=self.activation.refused is not None,
                is_waiting=self.activation.incoming is not None,
                is_fit=self.fitness.unfit is None,
            )
        )


def _make_access(settings: Settings, log: DecisionLog, record: Recorder, observe: Observe) -> Access:
    """Who may call, as the settings say. Raises `SettingsError`."""
    if settings.authentication == "none":
        return Access(
            recorder=record,
            is_for_this_machine=is_local(settings.bind),
            has_host=not settings.bind.startswith("unix:"),
            observe=observe,
        )
    from ecs_admission.auth.setup import make_authenticator

    rules, proxies = _auth_setup(settings)
    tokens = TokenReader(log.reader.connect, load_or_create_pepper(settings.pepper_file))
    authenticator = make_authenticator(tokens.find, rules=rules, proxies=proxies)
    return Access(recorder=record, authenticator=authenticator, observe=observe)


def _auth_setup(settings: Settings) -> tuple[AuthRules, TrustedProxies]:
    from ecs_admission.auth.setup import read_setup  # JSON Web Tokens take 0.2 s to import

    return read_setup(settings.auth_file, settings.trusted_proxies, settings.proxy_identity_header)


def _key_ids(settings: Settings) -> dict[str, str]:
    """The ids of the keys in use, which are safe to show: a change of one is an entry."""
    return {
        "signingKey": load_or_create_signing_key(settings.log_key_file).public.id,
        "fingerprintKey": load_or_create_key(settings.key_file).id,
    }


def _keys_of_the_log(settings: Settings) -> dict[str, str]:
    """The ids of the keys that others of the log use: the sealer's, once it has made a digest.

    Raises `SettingsError` for a node that would record under another fingerprint key than the log's.
    """
    database = database_file(settings.log_url)
    if database is not None and not database.exists():
        return {}
    reader = LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)
    with contextlib.closing(reader):
        if not settings.unsafe_new_fingerprint_key:
            log_keys = [load_or_create_signing_key(settings.log_key_file).public]
            check_fingerprint_key(reader, log_keys, [key.id for key in load_or_create_keys(settings.key_file)])
        sealer = sealer_key(reader)
    return {} if sealer is None else {"sealerKey": sealer}


def _preparing(settings: Settings) -> Prepare:
    """How a revision of a pack is made ready and tried, with what all revisions of this process share."""
    key, detectors = load_or_create_key(settings.key_file), (KingfisherDetector(),)

    def make(pack: Pack) -> Revision:
        engine = make_engine(settings, pack)
        revision = prepare(pack, engine=engine, detectors=detectors, key=key, now=time.time())
        # An OPA server may not have this revision yet: its policies are tried in this process.
        trial = _embedded(settings, pack, threads=1) if engine.name == "opa" else engine
        try:
            check_revision(replace(revision, engine=trial))
        except AdmissionError:
            engine.close()
            raise
        finally:
            if trial is not engine:
                trial.close()
        return revision

    return make


def check_start(settings: Settings) -> Policies:
    """What can be found out before the first worker starts: a data folder or policies that cannot serve.

    Also has the detector's rules compiled once, so that the workers find them in its cache.
    Raises `SettingsError` or `PolicyError`.
    """
    if settings.traces == "otlp":
        check_installed()
    prepare_data_dir(settings)
    server_context(settings)
    load_or_create_key(settings.key_file)
    load_or_create_signing_key(settings.log_key_file)
    if settings.authentication == "required":
        load_or_create_pepper(settings.pepper_file)
        _auth_setup(settings)
    history = History()
    with contextlib.suppress(RecordUnavailableError):  # it may work when the workers come to it
        check_database(
            settings.log_url, timeout_seconds=settings.record_deadline_seconds, read_url=settings.log_read_url
        )  # fmt: skip
        _keys_of_the_log(settings)
        history = _history(settings)
    policies = _load_first(settings, history)
    if settings.engine == "opa":
        make_engine(settings, policies.pack)  # connects to nothing yet, and refuses a URL that it cannot use
    warm_cache()
    return policies


def _load_first(settings: Settings, history: History) -> Policies:
    """The policies that the workers will begin with. Raises `PolicyError` where there are none."""
    serials = Serials(store_in(settings.data_dir), history)
    delivery = _delivery(settings, serials)
    base: Pack | None = None
    if delivery is not None:
        try:
            delivery.look()
            base = delivery.pack()
        except PolicyError:
            base = delivery.last_good()
            if base is None:
                raise
    policies = load_policies(settings.policy_places, now=time.time(), base=base)
    serials.check(policies.pack.mark)
    return policies


def make_engine(settings: Settings, pack: Pack) -> PolicyEngine:
    """The engine that the settings name."""
    if settings.engine == "opa":
        from ecs_admission.engines.opa import OpaEngine

        return OpaEngine(
            settings.opa_url,
            threads=settings.threads,
            deadline_seconds=settings.engine_deadline_seconds,
            mark=settings.data_dir / "engine-unanswered",
        )
    return _embedded(settings, pack, threads=settings.threads)


def _embedded(settings: Settings, pack: Pack, *, threads: int) -> PolicyEngine:
    from ecs_admission.engines.embedded import EmbeddedEngine

    return EmbeddedEngine(pack, threads=threads, deadline_seconds=settings.engine_deadline_seconds)


def prepare_data_dir(settings: Settings) -> None:
    """Make the folders of the data, and refuse those in which a record is not durable. Raises `SettingsError`."""
    for folder in {settings.data_dir, database_folder(settings.log_url) or settings.data_dir}:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"the data folder {folder} cannot be made: {error.strerror}") from None
        check_data_dir(folder, unsafe_ephemeral=settings.unsafe_ephemeral_data_dir)
