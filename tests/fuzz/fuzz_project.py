"""Any task definition can be projected, and no literal planted in it stands in the PolicyInput.

Run by tools/fuzz. Bytes are read as a sparse task definition after AWS's own model, with members that it does not know.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["ecs_admission.project", "ecs_admission.adapt"]):
    from ecs_admission.adapt.canonical import canonicalize
    from ecs_admission.adapt.shapes import Shape, operation_input
    from ecs_admission.engines.pack import load_pack
    from ecs_admission.errors import InputError
    from ecs_admission.model import AdmissionRequest, DeployContext, UserInfo
    from ecs_admission.project.detectors.native import NativeDetector, read_tokens
    from ecs_admission.project.fields import compile_node
    from ecs_admission.project.fingerprints import make_key
    from ecs_admission.project.policy_input import assemble
    from ecs_admission.project.projection import Projector

SHAPE = operation_input("RegisterTaskDefinition")
_NODE = compile_node(SHAPE)
_PACK = load_pack()
_PROJECTOR = Projector(_PACK.config, (NativeDetector(read_tokens(_PACK.config)),), make_key(bytes(range(32))))
_DEEPEST = 12
_TEXTS = (
    "password={}", "--token={}", "a://b:{}@c", "${{A:-{}}}", "-----BEGIN PRIVATE {}", '{{"password":"{}"}}', "{}",
    "curl -u a:{}", "Bearer {}", "user=a;pwd={};", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:{}", "{} b",
)  # fmt: skip
_NAMES = ("name", "value", "DB_PASSWORD", "key", "password", "a", "environment", "Value")


def one_input(data: bytes) -> None:
    """Raises what is a bug."""
    provider = atheris.FuzzedDataProvider(data)
    planted: list[str] = []
    document = _value(provider, SHAPE, planted, 0)
    try:
        canonical = canonicalize(document, SHAPE)
    except InputError as error:
        _check(planted, f"{error} {error.pointer}".encode())
        return
    projection = _PROJECTOR.project(canonical.value, _NODE)
    request = AdmissionRequest(
        decision_id="01890a5d-ac96-774b-bcce-b302099a8057",
        uid="u",
        operation="RegisterTaskDefinition",
        canonical=canonical,
        context=DeployContext(),
        user=UserInfo("u"),
        enforcement_point="fuzz",
        now=1,
    )
    _check(planted, assemble(request, projection, ()).body + repr(projection.places).encode())


def _check(planted: list[str], left: bytes) -> None:
    if any(canary.encode() in left for canary in planted):
        raise AssertionError("a literal is left")


def _value(provider: Any, shape: Shape, planted: list[str], depth: int) -> Any:
    if depth > _DEEPEST or provider.ConsumeIntInRange(0, 15) == 0:
        return _free(provider, planted, depth)
    if shape.kind == "structure":
        members = {name: _value(provider, shape.members[name], planted, depth + 1) for name in sorted(shape.required)}
        for name in sorted(shape.members):
            if name not in members and provider.ConsumeIntInRange(0, 3) == 0:
                members[name] = _value(provider, shape.members[name], planted, depth + 1)
        if provider.ConsumeIntInRange(0, 7) == 0:
            members[_text(provider, planted)] = _free(provider, planted, depth + 1)
        return members
    if shape.kind == "list" and shape.item is not None:
        return [_value(provider, shape.item, planted, depth + 1) for _ in range(provider.ConsumeIntInRange(0, 3))]
    if shape.kind == "map" and shape.item is not None:
        count = provider.ConsumeIntInRange(0, 3)
        return {_text(provider, planted): _value(provider, shape.item, planted, depth + 1) for _ in range(count)}
    if shape.kind == "string":
        return _text(provider, planted)
    return provider.ConsumeBool() if shape.kind == "boolean" else provider.ConsumeInt(4)


def _free(provider: Any, planted: list[str], depth: int) -> Any:
    kind = provider.ConsumeIntInRange(0, 6 if depth <= _DEEPEST else 4)
    if kind == 0:
        return None
    if kind == 1:
        return provider.ConsumeInt(4)
    if kind == 2:
        return provider.ConsumeBool()
    if kind in (3, 4):
        return _text(provider, planted)
    count = provider.ConsumeIntInRange(0, 3)
    if kind == 5:
        return [_free(provider, planted, depth + 1) for _ in range(count)]
    return {_text(provider, planted): _free(provider, planted, depth + 1) for _ in range(count)}


def _text(provider: Any, planted: list[str]) -> str:
    """A text of the fuzzer's, a name that means something, or a canary, which no name can be."""
    choice = provider.ConsumeIntInRange(0, 3)
    if choice == 0:
        return str(provider.ConsumeUnicode(40))
    if choice == 1:
        return str(provider.PickValueInList(list(_NAMES)))
    planted.append(f"zQ{len(planted):04d}xK7v!" + "".join(random.Random(len(planted)).choices("aB3dE6gH9jK2", k=18)))
    return str(provider.PickValueInList(list(_TEXTS))).format(planted[-1])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
