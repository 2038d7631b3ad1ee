"""Where policies are, as settings and options list it: a module of its own, as commands import no settings."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Remote:
    """A bundle at a URL: `https://HOST/PATH`, `http://` of this machine, or `s3://BUCKET/KEY`."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def parts(self) -> SplitResult:
        """The parts of the URL; of one that cannot be read none."""
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            return SplitResult("", "", "", "", "")
        return parts

    @property
    def is_loopback(self) -> bool:
        """True where it is this machine that is asked, so that nobody else can answer."""
        host = self.parts.hostname or ""
        if self.parts.scheme not in ("http", "https"):
            return False
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def problem(self) -> str | None:
        """What is wrong with the URL, in words that do not repeat it: it may hold a password."""
        parts = self.parts
        if parts.scheme not in ("http", "https", "s3") or not parts.netloc:
            return "a bundle is at https://HOST/PATH or s3://BUCKET/KEY"
        if "@" in parts.netloc or parts.fragment:
            return "the URL of a bundle has neither user, password nor fragment"
        if parts.scheme == "http" and not self.is_loopback:
            return "http:// is for this machine alone: use https://"
        if parts.scheme == "s3" and (not _BUCKET.fullmatch(parts.netloc) or len(parts.path) < 2 or parts.query):
            return "a bundle in S3 is at s3://BUCKET/KEY"
        return None


PolicyPlace: TypeAlias = Path | Remote


def read_places(text: str) -> tuple[PolicyPlace, ...]:
    """The places in a list of policies: separated by commas, or as those of PATH are where none is a URL."""
    places: list[PolicyPlace] = []
    for piece in filter(None, (part.strip() for part in text.split(","))):
        if _SCHEME.match(piece):
            places.append(Remote(piece))
        else:
            places += [Path(part.strip()) for part in piece.split(os.pathsep) if part.strip()]
    return tuple(places)


def problem_of(places: tuple[PolicyPlace, ...], *, has_key: bool) -> str | None:
    """What is wrong with a list of places, None where nothing is. `has_key` says that bundles are verified."""
    remotes = [place for place in places if isinstance(place, Remote)]
    if not remotes:
        return None
    if len(remotes) > 1 or places[0] is not remotes[0]:
        return "policies: only the first place can be a URL"
    if remotes[0].problem is not None:
        return f"policies: {remotes[0].problem}"
    if not remotes[0].is_loopback and not has_key:
        return "policies: a bundle from elsewhere has to be signed: set policies_key_file"
    return None
