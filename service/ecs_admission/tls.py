"""TLS for a service without a proxy before it."""

from __future__ import annotations

import ssl
from pathlib import Path

from ecs_admission.errors import SettingsError
from ecs_admission.settings import Settings


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are wrapped with; None without TLS. Raises `SettingsError` where a file does not serve.

    TLS 1.2 is the oldest that is spoken. With certificate authorities for clients, only who shows a certificate of
    theirs gets past the handshake; who they are to the service is still what they send, such as a token.
    """
    if settings.tls_certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file, password=_no_password)
    except (OSError, ValueError) as error:
        raise SettingsError(f"tls_certificate_file and tls_key_file cannot be used: {_reason(error)}") from None
    if settings.tls_client_ca_file is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca_file)
        except (OSError, ValueError) as error:
            raise SettingsError(f"tls_client_ca_file cannot be used: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    """Without this OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is not PEM").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def certificate_expiry(file: Path) -> float | None:
    """When the certificate in a file expires, in seconds since the epoch; None where it cannot be read."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        found = load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found[0].not_valid_after_utc.timestamp()
