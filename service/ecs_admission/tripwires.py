"""Requests that must be denied whatever a revision's data says, and what may never come out of its policies.

A revision is tried with them, end to end, before it judges anything for anyone. The secrets are made anew each time. An
environment that data names can be softened, and that is listed (`weakening`), but not all of them at once: each request
is judged as one for an environment that nobody knows, and so by the strictest.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import orjson

from ecs_admission.adapt.submission import read_operation
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import PolicyError
from ecs_admission.lock import check_lock, read_lock
from ecs_admission.model import Evaluation, JSONObject, Outcome, PolicyInput, UserInfo
from ecs_admission.project.disclosure import looks_random
from ecs_admission.review import Answer, Find, Reviewer, do_not_record, find_none
from ecs_admission.revision import Revision

_USER = UserInfo("system:tripwire")
_CANARY_BYTES = 18
_MANY = 250


@dataclass(frozen=True, slots=True)
class Tripwire:
    """A request that no revision may allow."""

    name: str
    operation: str
    document: JSONObject


def check_revision(revision: Revision, *, find: Find = find_none) -> None:
    """Try a revision. Raises `PolicyError` that says what it let through, did not decide, repeated, or lacks.

    `find` gives a revision that an engine may answer by instead; see `Reviewer`.
    """
    seen: list[Evaluation] = []

    def watched(found: Revision) -> Revision:
        return replace(found, engine=_Witness(found.engine, seen))

    reviewer = Reviewer(watched(revision), inventory=NoInventory(), recorder=do_not_record, on_error=_ignore)
    reviewer.find = lambda revision_id: watched(found) if (found := find(revision_id)) is not None else None
    canary = _canary()
    for tripwire in (*_tripwires(), *_canaries(canary)):
        answer = _ask(reviewer, tripwire)
        if answer.decision.outcome is not Outcome.DENIED:
            why = answer.decision.error_code or answer.decision.outcome.value
            message = f"{tripwire.name} has to be denied, and is not: {answer.decision.message} ({why})"
            raise PolicyError(f"the policies are not fit to judge: {message}")
    if any(canary in repr(evaluation) for evaluation in seen):
        raise PolicyError("the policies are not fit to judge: a finding repeats a text of the request")
    try:
        check_lock(revision.governance, read_lock())
    except PolicyError as error:
        problem = PolicyError(f"the policies are not fit to judge: {error}")
    else:
        return
    raise problem


def _ask(reviewer: Reviewer, tripwire: Tripwire) -> Answer:
    body = orjson.dumps(tripwire.document)
    # No account is given: once accounts are listed, that too is judged by the strictest.
    environment = [("environment", "tripwire-environment")]
    read = partial(read_operation, tripwire.operation, body, environment)
    return reviewer.review(read, operation=tripwire.operation, user=_USER, enforcement_point="tripwire")


def _tripwires() -> Iterator[Tripwire]:
    key_id = "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()
    secret = base64.b64encode(secrets.token_bytes(30)).decode()
    credentials = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}
    yield _task("static AWS keys", environment=_variables(credentials))
    yield _task("a password in the environment", environment=_variables({"DB_PASSWORD": _password()}))
    yield _task("a password of words in the environment", environment=_variables({"DB_PASSWORD": _passphrase()}))
    yield _task("a password in an argument", command=["serve", f"--db-password={_password()}"])
    key = (
        f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(secrets.token_bytes(48)).decode()}\n-----END PRIVATE KEY-----"
    )
    yield _task("a private key in a label", dockerLabels={"com.example.key": key})
    many = {f"PASSWORD_{number}": _password() for number in range(_MANY)}
    yield _task("more secrets than can be judged", environment=_variables(many))
    yield _task("what is too deep to be scanned", environment=_variables({"SETTINGS": _nested(_password())}))
    override = {"name": "app", "environment": _variables({"API_TOKEN": secret})}
    overrides = {"taskDefinition": "tripwire:1", "overrides": {"containerOverrides": [override]}}
    yield Tripwire("a token in an override", "RunTask", overrides)


def _canary() -> str:
    """A word that is never shown as a name. A few random ones look like names, and may stand in a pointer."""
    while not looks_random(canary := secrets.token_urlsafe(_CANARY_BYTES)):
        pass
    return canary


def _canaries(canary: str) -> Iterator[Tripwire]:
    """Secrets under names that are secrets, too: neither may come back."""
    yield _task(
        "a canary in names and values",
        environment=_variables({f"PASSWORD_{canary}": canary, "PASSWORD": canary}),
        dockerLabels={canary: canary},
        secrets=[{"name": canary, "valueFrom": canary}],
        logConfiguration={"logDriver": "splunk", "options": {"splunk-token": canary, canary: canary}},
    )


def _task(what: str, **members: object) -> Tripwire:
    family = f"tripwire-{secrets.token_hex(3)}"
    container: JSONObject = {"name": "app", "image": "app:1", "memory": 64, **members}
    return Tripwire(what, "RegisterTaskDefinition", {"family": family, "containerDefinitions": [container]})


def _variables(values: dict[str, str]) -> list[JSONObject]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _password() -> str:
    return f"{secrets.token_urlsafe(12)}!7q"


def _passphrase() -> str:
    """A password as people make them up: what excuses words excuses it, while a random text may still be denied."""
    words = ["".join(map(secrets.choice, ("bdfgklmnprstvz", "aeiou") * 3)).title() for _ in range(2)]
    return f"{words[0]}-{secrets.randbelow(10)}-{words[1]}"


def _nested(text: str) -> str:
    """A text inside more layers of base64 than are looked into."""
    for _ in range(8):
        text = base64.b64encode(text.encode()).decode()
    return text


class _Witness:
    """Passes on to an engine and keeps what it answered."""

    def __init__(self, engine: PolicyEngine, seen: list[Evaluation]) -> None:
        self._engine = engine
        self.name = engine.name
        self._seen = seen

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine`."""
        evaluation = self._engine.evaluate(policy_input)
        self._seen.append(evaluation)
        return evaluation

    def probe(self) -> None:
        """See `PolicyEngine`."""

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`. A trial ignores no failure."""
        return False

    def close(self) -> None:
        """See `PolicyEngine`. The engine is not ours to close."""


_ignore: Callable[[Exception], None] = lambda _: None  # noqa: E731
