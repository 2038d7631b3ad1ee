"""A bundle that came from elsewhere: verified before anything of it is used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.keys import BundleKey, read_public_keys
from ecs_admission.engines.bundles.signatures import verify
from ecs_admission.engines.pack import Pack, read_pack
from ecs_admission.engines.remote import open_source
from ecs_admission.errors import PolicyError
from ecs_admission.places import Remote, problem_of

KEY_FILE: Final = "ECS_ADMISSION_POLICIES_KEY_FILE"


def read_bundle(content: bytes, keys: Sequence[BundleKey]) -> Pack:
    """The pack in a bundle that came from elsewhere. Raises `PolicyError` that says why it cannot be taken."""
    files = unpack(content)
    if keys:
        verify(files, keys)
    pack = read_pack(files, content)
    if pack.mark is None:
        raise PolicyError("the bundle has no serial: bundle build gives it one")
    return pack


def fetch_pack(remote: Remote) -> Pack:
    """The bundle that is at a URL now, for a command. It is verified as a service would, with the same variable's keys.

    Which serial was active is not asked: that is the service's to know. Raises `PolicyError`.
    """
    key_file = os.environ.get(KEY_FILE)
    problem = problem_of((remote,), has_key=bool(key_file))
    if problem is not None:
        raise PolicyError(problem)
    keys = read_public_keys(Path(key_file)) if key_file else ()
    fetched = open_source(remote).fetch(None)
    if fetched is None:
        raise PolicyError(f"{remote}: gave no bundle")
    try:
        return read_bundle(fetched.content, keys)
    except PolicyError as error:
        problem = str(error)
    raise PolicyError(f"{remote}: {problem}")
