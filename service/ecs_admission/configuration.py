"""The effective configuration as it may be shown: every setting, its value without what could be secret, its origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from ecs_admission.model import JSONObject
from ecs_admission.settings import Configuration, Settings

HIDDEN: Final = "(set)"
"""In place of a value that is not shown."""


def shown(configuration: Configuration) -> JSONObject:
    """Every setting as it may be shown. One that is in no list here is not, so that a new one gives nothing away."""
    settings = configuration.settings
    return {name: _show(name, getattr(settings, name)) for name in Settings.model_fields}


def _show(name: str, value: object) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SHOWN[name](str(value)) if name in _SHOWN else HIDDEN


def mask_url(text: str) -> str:
    """A URL without user, password, query and fragment, of which the service cannot know what they hold."""
    try:
        parts = urlsplit(text)
        address = parts.netloc.rpartition("@")
    except ValueError:
        return HIDDEN
    if not parts.scheme:
        return HIDDEN
    user = "***@" if address[1] else ""
    query = "?***" if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{user}{address[2]}{parts.path}{query}"


def _mask_places(text: str) -> str:
    return ",".join(mask_url(place.strip()) if "://" in place else place.strip() for place in text.split(","))


def _plain(text: str) -> str:
    return text


_SHOWN: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(("bind", "engine", "authentication", "sealer", "metrics_bind", "traces", "log_level"), _plain),
    **dict.fromkeys(("trusted_proxies", "proxy_identity_header"), _plain),
    **dict.fromkeys(("config", "data_dir", "auth_file", "policies_key_file"), _plain),
    **dict.fromkeys(("signing_key_file", "sealer_key_file", "fingerprint_key_file", "token_key_file"), _plain),
    **dict.fromkeys(("tls_certificate_file", "tls_key_file", "tls_client_ca_file"), _plain),
    **dict.fromkeys(("opa_url", "database_url", "database_read_url"), mask_url),
    **dict.fromkeys(("anchors", "policies"), _mask_places),
}
"""How the value of a setting is shown that is no number: keys are in files, and names of files are no secret."""
