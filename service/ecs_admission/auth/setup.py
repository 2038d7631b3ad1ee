"""An authenticator as the settings ask for it. Reads files; asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecs_admission.auth.authenticator import Authenticator, StoredToken
from ecs_admission.auth.jwks import KeySource, fetch_file, fetch_from
from ecs_admission.auth.oidc import Issuer, TokenVerifier
from ecs_admission.auth.proxies import TrustedProxies
from ecs_admission.auth.rules import AuthRules, IssuerRule, load_rules
from ecs_admission.errors import SettingsError


def make_authenticator(
    find_token: Callable[[str], StoredToken | None], *, rules: AuthRules, proxies: TrustedProxies
) -> Authenticator:
    """An authenticator for API tokens and whatever the rules name. Raises `SettingsError`."""
    issuers = [Issuer(rule.issuer, rule.audience, _keys(rule)) for rule in rules.issuers]
    verify = TokenVerifier(issuers).verify if issuers else None
    return Authenticator(find_token=find_token, verify=verify, rules=rules, proxies=proxies)


def read_setup(
    auth_file: Path | None, trusted_proxies: str, identity_header: str | None
) -> tuple[AuthRules, TrustedProxies]:
    """The rules and the proxies, checked against each other. Raises `SettingsError`."""
    rules = load_rules(auth_file) if auth_file is not None else AuthRules()
    proxies = TrustedProxies.read(trusted_proxies, identity_header)
    if rules.certificates and identity_header is None:
        raise SettingsError("a binding names a certificate: set proxy_identity_header and trusted_proxies as well")
    for rule in rules.issuers:
        _keys(rule)
    return rules, proxies


def _keys(rule: IssuerRule) -> KeySource:
    if rule.jwks_uri is not None:
        return KeySource(fetch_from(rule.jwks_uri))
    if rule.jwks_file is None or not rule.jwks_file.is_file():
        raise SettingsError(f"there is no jwks_file {rule.jwks_file}")
    return KeySource(fetch_file(rule.jwks_file))
