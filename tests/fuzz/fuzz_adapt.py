"""Any bytes are read or refused with an InputError that quotes none of them.

Run by tools/fuzz. The first byte chooses between a document and an AdmissionReview.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["ecs_admission"]):
    from ecs_admission.adapt.submission import read_operation, read_review
    from ecs_admission.errors import InputError
    from tests.fuzz import MARK


def one_input(data: bytes) -> None:
    """Raises what is a bug."""
    body = data[1:]
    try:
        if data[:1] == b"R":
            read_review(body)
        else:
            read_operation("RegisterTaskDefinition", body, ())
    except InputError as error:
        text = f"{error} {error.code} {error.pointer} {error.__cause__} {error.__context__}"
        if MARK in text:
            raise AssertionError("a refusal quotes what it refuses") from None


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
