"""Read the deploy context: query parameters or the options of an AdmissionReview.

Each parameter has a grammar. One that is unknown, empty, given twice or off its grammar is refused, never treated as
absent: an absent environment is judged by the strictest, and a misspelled one must not be mistaken for a milder one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ecs_admission.errors import InputError
from ecs_admission.model import DeployContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESOURCE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}|arn:aws[a-z-]{0,20}:ecs:[a-z0-9-]{1,30}:[0-9]{12}:[A-Za-z0-9_/-]{1,255}"
)
_LINK = re.compile(r"[A-Za-z0-9._~:/?#@!+=,&%\[\]-]{1,512}")

GRAMMARS: Mapping[str, re.Pattern[str]] = {
    "environment": _NAME,
    "account": re.compile(r"[0-9]{12}"),
    "region": re.compile(r"[a-z]{2,5}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}"),
    "cluster": _RESOURCE,
    "service": _RESOURCE,
    "actor": re.compile(r"[A-Za-z0-9._@+=,:/\[\]-]{1,256}"),
    "repository": re.compile(r"[A-Za-z0-9._@:/-]{1,256}"),
    "commit": re.compile(r"[A-Za-z0-9._/-]{1,128}"),
    "run": _LINK,
    "ticket": _LINK,
}
assert GRAMMARS.keys() == {field.name for field in fields(DeployContext)}  # noqa: S101 - one list, in two shapes

FREE = ("cluster", "service", "actor", "repository", "commit", "run", "ticket")
"""Parameters whose grammar is wide enough to hold a secret, so that detectors look at them too."""


def read_parameters(parameters: Iterable[tuple[str, str]]) -> DeployContext:
    """The context of a query string. Raises `InputError` that names the parameter, unless the name is unknown."""
    read: dict[str, str] = {}
    for name, value in parameters:
        grammar = GRAMMARS.get(name)
        if grammar is None:
            raise InputError(
                "unknown-parameter", f"a parameter is not known; known are {', '.join(GRAMMARS)}", status=400
            )
        if name in read:
            raise InputError("repeated-parameter", f"parameter {name} is given twice", status=400)
        if not grammar.fullmatch(value):
            state = "empty: leave it out or give it a value" if not value else "not of the form that it must have"
            raise InputError("invalid-parameter", f"parameter {name} is {state}", status=400)
        read[name] = value
    return DeployContext(**read)


def read_options(options: Any) -> DeployContext:
    """The context in `request.options`, in which Kubernetes also puts `apiVersion` and `kind`."""
    if options is None:
        return DeployContext()
    if not isinstance(options, dict):
        raise InputError("invalid-options", "request.options must be an object", status=400)
    pairs = [(name, value) for name, value in options.items() if name not in ("apiVersion", "kind")]
    for name, value in pairs:
        if not isinstance(value, str):
            known = name if name in GRAMMARS else "a parameter"
            raise InputError("invalid-parameter", f"{known} in request.options must be a string", status=400)
    return read_parameters(pairs)
