"""The file that says whose tokens are accepted and what for: issuers, and bindings of claims or certificates to roles.

It is data beside the service, in TOML; `docs/how-to/authenticate.md` shows it for GitHub, GitLab, Kubernetes and AWS.
Rules compare exactly. A rule that would let more people in than it seems to is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

LASTING: Final[Mapping[str, frozenset[str]]] = {
    "https://token.actions.githubusercontent.com": frozenset({"repository_id", "repository_owner_id", "enterprise_id"}),
    "https://gitlab.com": frozenset({"project_id", "namespace_id"}),
}
"""Issuers that everybody can have a token of, and the claims of which a binding needs one there: numbers that stay with
a repository or its owner. A name can be given up, and taken by somebody else."""

_LIMITS: Final = frozenset({"accounts", "environments", "regions", "families"})
_OIDC: Final = frozenset({"issuer", "claims", "roles"}) | _LIMITS
_CERTIFICATE: Final = frozenset({"certificate", "roles"}) | _LIMITS
_ISSUER: Final = frozenset({"issuer", "audience", "jwks_uri", "jwks_file"})


@dataclass(frozen=True, slots=True)
class IssuerRule:
    """An issuer as the file names it, with one of the two places of its keys."""

    issuer: str
    audience: str
    jwks_uri: str | None
    jwks_file: Path | None


@dataclass(frozen=True, slots=True)
class ClaimBinding:
    """What is granted to tokens of an issuer with these claims: paths of names, each with the texts it may have."""

    issuer: str
    claims: Mapping[tuple[str, ...], frozenset[str]]
    grant: Grant

    def matches(self, issuer: str, claims: JSONObject) -> bool:
        """Whether a token of `issuer` with `claims` has every claim of this binding."""
        return issuer == self.issuer and all(_text_at(claims, path) in texts for path, texts in self.claims.items())


@dataclass(frozen=True, slots=True)
class AuthRules:
    """All that the file says. `certificates` are grants by the name that a trusted proxy reports."""

    issuers: tuple[IssuerRule, ...] = ()
    bindings: tuple[ClaimBinding, ...] = ()
    certificates: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)

    def grants(self, issuer: str, claims: JSONObject) -> tuple[Grant, ...]:
        """All that is granted to a token, by however many bindings."""
        return tuple(binding.grant for binding in self.bindings if binding.matches(issuer, claims))


def load_rules(path: Path) -> AuthRules:
    """Read the file. Raises `SettingsError` that says which part is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"the file of who may do what {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SettingsError(f"{path} is not TOML") from None
    try:
        return read_rules(document, folder=path.parent)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def read_rules(document: Mapping[str, Any], *, folder: Path) -> AuthRules:
    """The rules of a document; a file that it names is looked for in `folder`. Raises `SettingsError`."""
    _only(document, frozenset({"issuer", "binding"}), "the file")
    issuers = tuple(_issuer(table, folder) for table in _tables(document, "issuer"))
    names = [issuer.issuer for issuer in issuers]
    if len(set(names)) < len(names):
        raise SettingsError("an issuer stands there twice")
    bindings: list[ClaimBinding] = []
    certificates: dict[str, tuple[Grant, ...]] = {}
    for table in _tables(document, "binding"):
        if "certificate" in table:
            name, grant = _certificate(table)
            certificates[name] = (*certificates.get(name, ()), grant)
        else:
            bindings.append(_binding(table, names))
    return AuthRules(issuers, tuple(bindings), certificates)


def _issuer(table: Mapping[str, Any], folder: Path) -> IssuerRule:
    _only(table, _ISSUER, "an issuer")
    issuer, audience = (_text(table, name, "an issuer") for name in ("issuer", "audience"))
    if ("jwks_uri" in table) == ("jwks_file" in table):
        raise SettingsError("an issuer needs either jwks_uri or jwks_file")
    uri = _text(table, "jwks_uri", "an issuer") if "jwks_uri" in table else None
    file = folder / _text(table, "jwks_file", "an issuer") if "jwks_file" in table else None
    return IssuerRule(issuer, audience, uri, file)


def _binding(table: Mapping[str, Any], issuers: Sequence[str]) -> ClaimBinding:
    _only(table, _OIDC, "a binding")
    issuer = _text(table, "issuer", "a binding")
    if issuer not in issuers:
        raise SettingsError("a binding is of an issuer that the file does not have")
    claims = dict(_claims(table.get("claims"), ()))
    if not claims:
        raise SettingsError("a binding needs claims: without any, everybody with a token of the issuer would have it")
    lasting = LASTING.get(issuer)
    if lasting is not None and not any(path[0] in lasting for path in claims):
        raise SettingsError(f"a binding of {issuer} needs one of {', '.join(sorted(lasting))}: names can change hands")
    return ClaimBinding(issuer, claims, _grant(table))


def _certificate(table: Mapping[str, Any]) -> tuple[str, Grant]:
    _only(table, _CERTIFICATE, "a binding of a certificate")
    return _text(table, "certificate", "a binding"), _grant(table)


def _grant(table: Mapping[str, Any]) -> Grant:
    roles = table.get("roles")
    if not isinstance(roles, list) or not roles or not set(map(str, roles)) <= set(Role):
        raise SettingsError(f"a binding needs roles, some of {', '.join(Role)}")
    return Grant(frozenset(map(Role, roles)), Scope.read({part: table[part] for part in _LIMITS & table.keys()}))


def _claims(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Claims that are objects are tables here as well, so a name may hold dots and slashes."""
    if not isinstance(value, dict):
        raise SettingsError("claims of a binding must be a table")
    for name, wanted in value.items():
        if isinstance(wanted, dict):
            yield from _claims(wanted, (*path, name))
            continue
        texts = wanted if isinstance(wanted, list) else [wanted]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise SettingsError("a claim of a binding must be a text or a list of texts")
        yield (*path, name), frozenset(texts)


def _text_at(claims: Any, path: tuple[str, ...]) -> str | None:
    """What a token says at a path, as text; None where it says nothing, or something that has parts."""
    for name in path:
        if not isinstance(claims, dict):
            return None
        claims = claims.get(name)
    if isinstance(claims, bool):
        return "true" if claims else "false"
    if isinstance(claims, str | int):
        return str(claims)
    return None


def _tables(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    tables = document.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"write [[{name}]]")
    return tables


def _text(table: Mapping[str, Any], name: str, of: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{of} needs {name}, a text")
    return value


def _only(table: Mapping[str, Any], names: frozenset[str], of: str) -> None:
    unknown = table.keys() - names
    if unknown:
        raise SettingsError(f"{of} has no {min(unknown)}; it has {', '.join(sorted(names))}")
