"""A proxy in front that ends TLS: whose word for a client's address and certificate counts, and how it is read."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from ecs_admission.errors import SettingsError

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX: Final = "unix"
"""How a unix socket is named among the addresses: whoever can open it is trusted."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The addresses of proxies, and the header in which they report a verified client certificate's name."""

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    identity_header: str | None = None

    @classmethod
    def read(cls, addresses: str, identity_header: str | None) -> Self:
        """From settings: addresses or networks separated by commas, or `unix`. Raises `SettingsError`."""
        names = [name.strip() for name in addresses.split(",") if name.strip()]
        try:
            networks = tuple(ipaddress.ip_network(name) for name in names if name != UNIX)
        except ValueError:
            raise SettingsError("trusted_proxies: must be addresses or networks separated by commas, or unix") from None
        if any(network.prefixlen == 0 for network in networks):
            raise SettingsError("trusted_proxies: a network of all addresses would trust everybody")
        return cls(networks, UNIX in names, identity_header)

    def trusts(self, address: str) -> bool:
        """Whether a peer with this address is one of the proxies. `address` is empty for a unix socket."""
        if not address:
            return self.unix
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self.networks)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Whose request it is: the last address that a trusted proxy reports and that is no proxy itself.

        `forwarded` are the values of X-Forwarded-For. What stands before an untrusted address may be invented.
        """
        if not self.trusts(peer):
            return peer or UNIX
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            if not self.trusts(hop):
                return hop
        return peer or UNIX


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
