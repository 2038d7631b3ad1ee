"""Write the seeds of a fuzz target into a folder: the examples and the bypass set, the same in each run."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.bypass import documents, structures
from tests.bypass.hiding import Secrets, submission
from tests.fuzz import MARK

_ROOT = Path(__file__).parents[2]
_LONGEST = 20_000
_STREAMS = 64


def adapt_seeds() -> Iterator[bytes]:
    """Documents behind the letter that says how they are sent, with a mark where a secret was."""
    for path in sorted((_ROOT / "examples").glob("*.json")):
        yield b"D" + path.read_bytes()
    for ways in (documents.WAYS, structures.WAYS):
        for name, make in ways.items():
            secrets = Secrets(Random(name))
            sent = submission(make(secrets))
            body = sent.body
            for secret in secrets.made:
                body = body.replace(secret.encode(), MARK.encode())
            yield (b"R" if sent.is_review else b"D") + body


def project_seeds() -> Iterator[bytes]:
    """Streams of choices: what they mean is up to the target."""
    for number in range(_STREAMS):
        yield Random(number).randbytes(40 * (number + 1))


def main() -> None:
    """`seeds.py TARGET FOLDER`."""
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in {"adapt": adapt_seeds, "project": project_seeds}[target]():
        if len(seed) <= _LONGEST:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
