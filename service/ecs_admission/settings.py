"""Every setting of the service, one frozen object, read from the environment and a file, checked before all else."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from ecs_admission.errors import SettingsError
from ecs_admission.places import PolicyPlace, problem_of, read_places
from ecs_admission.settings_sources import DEFAULT, read_sources

_TCP = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:/]+):([0-9]{1,5})")
_HEADER = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "state" / "ecs-admission"


class Settings(BaseModel):
    """The settings. `docs/reference/settings.md` says the same in prose, and a test compares the two."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    config: Path | None = Field(
        None, description="TOML file of settings, by their names in lower case without the prefix; environment wins."
    )
    bind: str = Field("127.0.0.1:8080", description="Where to listen: HOST:PORT, or unix:/path/to/socket.")
    engine: Literal["embedded", "opa"] = Field("embedded", description="What evaluates the policies.")
    opa_url: str = Field(
        "http://127.0.0.1:8181", description="The OPA server of engine opa: http(s)://HOST:PORT or unix:///path."
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder of the decision log and of the keys. Made with mode 0700.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the decision log; default: decisions.sqlite3 in the data folder."
    )
    database_read_url: str | None = Field(
        None, description="The same for queries, where they have a role of their own; default: the database URL."
    )
    signing_key_file: Path | None = Field(
        None,
        description="PEM file with the decision log's Ed25519 signing key; default: signing.key in the data folder.",
    )
    sealer: Literal["auto", "off"] = Field(
        "auto", description="Whether `serve` starts the sealer too; auto: where the decision log is a SQLite file."
    )
    sealer_key_file: Path | None = Field(
        None, description="PEM file with the sealer's Ed25519 key; default: sealer.key in the data folder."
    )
    seal_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        10, description="How often the sealer signs what the decision log holds."
    )
    anchors: str | None = Field(
        None,
        description="Where digests are kept a second time, separated by commas: folders, or s3://BUCKET/PREFIX with "
        "Object Lock; default: anchors in the data folder where the decision log is a SQLite file, else none.",
    )
    anchor_retention_days: Annotated[int, Field(ge=1, le=36500)] = Field(
        400, description="How long a digest in S3 is locked."
    )
    retention_floor_days: Annotated[int, Field(ge=1, le=36500)] = Field(
        365, description="The youngest age at which retention drops bodies; below 365 two operators have to ask for it."
    )
    fingerprint_key_file: Path | None = Field(
        None,
        description="File with the fingerprint keys, 64 hex digits on each line: the one in use, and below it those "
        "that were, with which values are still looked up; default: fingerprint.key in the data folder.",
    )
    authentication: Literal["none", "required"] = Field(
        "none", description="Whether callers have to show who they are; with none only this machine can connect."
    )
    auth_file: Path | None = Field(
        None, description="TOML file of OIDC issuers and of bindings from claims or certificates to roles."
    )
    token_key_file: Path | None = Field(
        None, description="File with the key of the API tokens, 64 hex digits; default: tokens.key in the data folder."
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies whose word for a client's address and certificate counts, "
        "separated by commas; unix: whoever opens the socket.",
    )
    proxy_identity_header: str | None = Field(
        None, description="Header in which these proxies report the name of a verified client certificate."
    )
    policies: str = Field(
        "",
        description="Folders or bundles of policies to lay over the pack that ships, separated by commas; the first "
        "may be what `ecs-admission bundle build` made, also at https://HOST/PATH or s3://BUCKET/KEY.",
    )
    policies_key_file: Path | None = Field(
        None,
        description="PEM file of the public keys, any of which a bundle at a URL must be signed with; needed unless "
        "that is on this machine.",
    )
    policies_poll_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        5.0, description="How often the places of the policies are looked at for a change; 0: never."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Worker processes.")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(8, description="Threads of each worker.")
    engine_deadline_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        2.0, description="How long one evaluation may take in all."
    )
    record_deadline_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        3.0, description="How long making one decision durable may take in all."
    )
    metrics_bind: str = Field(
        "127.0.0.1:9464", description="Where Prometheus finds the metrics, at /metrics: HOST:PORT, or off."
    )
    request_deadline_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        10.0,
        description="How long headers and body of one request may take to arrive in all, a TLS handshake included.",
    )
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        5.0, description="How long the service says that it is not ready, and serves on, before it ends on SIGTERM."
    )
    traces: Literal["off", "otlp"] = Field(
        "off", description="Whether each review is a span for OpenTelemetry; its own variables say where to."
    )
    max_requests: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        100_000, description="After how many requests a worker is replaced, give or take a tenth; 0: never."
    )
    tls_certificate_file: Path | None = Field(
        None, description="PEM file with the certificate of the service and its chain, for TLS without a proxy."
    )
    tls_key_file: Path | None = Field(None, description="PEM file with the key of that certificate.")
    tls_client_ca_file: Path | None = Field(
        None, description="PEM file of certificate authorities: only clients with a certificate of theirs can connect."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe log line.")
    unsafe_ephemeral_data_dir: bool = Field(
        False, description="Accept a data folder on tmpfs, overlay or a network file system, where records can be lost."
    )
    unsafe_bind_without_authentication: bool = Field(
        False, description="Accept an address other than loopback although callers are not authenticated."
    )
    unsafe_new_fingerprint_key: bool = Field(
        False,
        description="Begin with another fingerprint key although the log's active one is not at hand: what was "
        "recorded under that cannot be looked up.",
    )

    @field_validator("bind")
    @classmethod
    def _check_bind(cls, bind: str) -> str:
        if bind.startswith("unix:/"):
            return bind
        match = _TCP.fullmatch(bind)
        if not match or not 0 <= int(match.group(2)) <= 65535:
            raise ValueError("must be HOST:PORT or unix:/path/to/socket")
        return bind

    @field_validator("metrics_bind")
    @classmethod
    def _check_metrics_bind(cls, bind: str) -> str:
        match = _TCP.fullmatch(bind)
        if bind != "off" and (match is None or int(match.group(2)) > 65535):
            raise ValueError("must be HOST:PORT, or off")
        return bind

    @field_validator("data_dir", mode="before")
    @classmethod
    def _check_data_dir(cls, data_dir: object) -> object:
        if not str(data_dir):
            raise ValueError("must not be empty")
        return data_dir

    @model_validator(mode="after")
    def _check_rules(self, info: ValidationInfo) -> Settings:
        wrong = (info.context or {}).get("wrong", frozenset())
        problems = [problem for names, rule in _RULES if not wrong & names and (problem := rule(self))]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def policy_places(self) -> tuple[PolicyPlace, ...]:
        """The folders and bundles of the policies."""
        return read_places(self.policies)

    @property
    def log_url(self) -> str:
        """The SQLAlchemy URL of the decision log."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'decisions.sqlite3'}"

    @property
    def log_read_url(self) -> str:
        """The SQLAlchemy URL of the decision log for queries."""
        return self.database_read_url or self.log_url

    @property
    def log_key_file(self) -> Path:
        """The file of the decision log's signing key."""
        return self.signing_key_file or self.data_dir / "signing.key"

    @property
    def pepper_file(self) -> Path:
        """The file of the key of the API tokens."""
        return self.token_key_file or self.data_dir / "tokens.key"

    @property
    def digest_key_file(self) -> Path:
        """The file of the sealer's key."""
        return self.sealer_key_file or self.data_dir / "sealer.key"

    @property
    def is_embedded(self) -> bool:
        """True where the decision log is a file beside the service."""
        return self.log_url.startswith("sqlite")

    @property
    def anchor_places(self) -> tuple[str, ...]:
        """The anchors of the decision log."""
        if self.anchors is None:
            return (str(self.data_dir.absolute() / "anchors"),) if self.is_embedded else ()
        return tuple(filter(None, (place.strip() for place in self.anchors.split(","))))

    @property
    def finish_seconds(self) -> float:
        """How long a request that has begun may take to arrive and to be answered."""
        return self.request_deadline_seconds + self.engine_deadline_seconds + self.record_deadline_seconds + 1

    @property
    def key_file(self) -> Path:
        """The file of the fingerprint key."""
        return self.fingerprint_key_file or self.data_dir / "fingerprint.key"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and where each was set: a variable's name, a file's, or `default`."""

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        """Where a setting was set."""
        return self.origins.get(name, DEFAULT)


def read_settings() -> Settings:
    """The settings of this process. Raises `SettingsError` that lists every problem, without the values."""
    return read_configuration().settings


def read_configuration() -> Configuration:
    """See `read_settings`."""
    sources = read_sources(Settings.model_fields, LISTS, os.environ)
    problems = sources.problems
    if "data_dir" not in sources.values:
        try:
            _default_data_dir()
        except RuntimeError:
            problems.append("there is no home folder for the data: set ECS_ADMISSION_DATA_DIR")
            sources.values["data_dir"] = "/"
    wrong: frozenset[str] = frozenset()
    try:
        settings = Settings.model_validate(sources.values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        wrong = frozenset(str(problem["loc"][0]) for problem in found if problem["loc"])
        problems += [
            f"{sources.place(str(problem['loc'][0]))}: {_told(problem['msg'])}" for problem in found if problem["loc"]
        ]
        problems += _broken_rules(sources.values, wrong)
    if problems:
        raise SettingsError("\n".join(["the settings are not valid:", *(f"  {problem}" for problem in problems)]))
    return Configuration(settings, sources.origins)


def _broken_rules(values: Mapping[str, object], wrong: frozenset[str]) -> list[str]:
    """The rules across settings that do not hold, as far as those settings are right by themselves."""
    right = {name: value for name, value in values.items() if name not in wrong}
    try:
        Settings.model_validate(right, context={"wrong": wrong})
    except ValidationError as error:
        return [line for problem in error.errors() for line in _told(problem["msg"]).splitlines()]
    return []


def _told(message: str) -> str:
    return message.removeprefix("Value error, ")


def is_local(bind: str) -> bool:
    """True where nobody from outside this machine can connect."""
    if bind.startswith("unix:"):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


LISTS = frozenset({"anchors", "policies", "trusted_proxies"})
"""Settings that are lists separated by commas. A file may give them as arrays."""


def _needs_authentication(settings: Settings) -> str | None:
    named = settings.auth_file or settings.trusted_proxies or settings.proxy_identity_header is not None
    if settings.authentication == "none" and named:
        return "auth_file, trusted_proxies and proxy_identity_header need authentication: required"
    return None


def _needs_a_header_name(settings: Settings) -> str | None:
    name = settings.proxy_identity_header
    if name is not None and not _HEADER.fullmatch(name):
        return "proxy_identity_header: must be letters, digits and hyphens"
    return None


def _needs_proxies(settings: Settings) -> str | None:
    if settings.proxy_identity_header is not None and not settings.trusted_proxies:
        return "proxy_identity_header: needs trusted_proxies, or anybody could send it"
    return None


def _needs_a_private_address(settings: Settings) -> str | None:
    is_exposed = settings.authentication == "none" and not is_local(settings.bind)
    if is_exposed and not settings.unsafe_bind_without_authentication:
        return "bind: without authentication only a loopback address or a unix socket is accepted"
    return None


def _needs_certificate_and_key(settings: Settings) -> str | None:
    if (settings.tls_certificate_file is None) != (settings.tls_key_file is None):
        return "tls_certificate_file and tls_key_file need each other"
    if settings.tls_client_ca_file is not None and settings.tls_certificate_file is None:
        return "tls_client_ca_file: needs tls_certificate_file"
    return None


def _needs_an_opa_url(settings: Settings) -> str | None:
    if settings.engine == "opa" and urlsplit(settings.opa_url).scheme not in ("http", "https", "unix"):
        return "opa_url: must be http://, https:// or unix:///"
    return None


def _needs_a_source(settings: Settings) -> str | None:
    return problem_of(settings.policy_places, has_key=settings.policies_key_file is not None)


_RULES: tuple[tuple[frozenset[str], Callable[[Settings], str | None]], ...] = (
    (frozenset({"authentication", "auth_file", "trusted_proxies", "proxy_identity_header"}), _needs_authentication),
    (frozenset({"proxy_identity_header"}), _needs_a_header_name),
    (frozenset({"proxy_identity_header", "trusted_proxies"}), _needs_proxies),
    (frozenset({"authentication", "bind", "unsafe_bind_without_authentication"}), _needs_a_private_address),
    (frozenset({"engine", "opa_url"}), _needs_an_opa_url),
    (frozenset({"tls_certificate_file", "tls_key_file", "tls_client_ca_file"}), _needs_certificate_and_key),
    (frozenset({"policies", "policies_key_file"}), _needs_a_source),
)
"""What must hold across settings, and between which: a rule is not asked where one of them is wrong by itself."""
