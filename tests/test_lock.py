"""No revision is without the rules of the lock, whatever its bundle or its data say."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from tools.rule_lock import FILE, text

from ecs_admission.catalogue import read_catalogue
from ecs_admission.decide import UNEXCEPTABLE
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.governance import Governance, read_governance
from ecs_admission.lock import check_lock, make_lock, read_lock
from ecs_admission.model import Action, JSONObject
from ecs_admission.revision import Revision
from ecs_admission.tripwires import check_revision

EVERYWHERE = ("dev", "test", "staging", "prod")


def governance(pack: Pack, *, everywhere: JSONObject | None = None, but: str = "", without: str = "") -> Governance:
    """The pack that ships with actions in every environment but one, or without a rule."""
    data = copy.deepcopy(dict(pack.data))
    rules = {key: value for key, value in data["catalogue"]["rules"].items() if key != without}
    for name in EVERYWHERE:
        if name != but:
            data["config"]["environments"][name]["actions"] = dict(everywhere or {})
    data["config"]["profiles"] = {
        name: {key: action for key, action in actions.items() if not without or not key.startswith(without)}
        for name, actions in data["config"]["profiles"].items()
    }
    return read_governance(data, read_catalogue(rules), now=0)


def test_the_lock_that_ships_is_that_of_the_pack_that_ships() -> None:
    assert FILE.read_bytes() == text(), "make pack writes it"


def test_the_lock_names_every_rule(pack: Pack) -> None:
    assert pack.catalogue.keys() <= read_lock().keys()
    assert read_lock()["plaintext/environment"] is Action.DENY
    assert read_lock()["references/not-found"] is Action.WARN
    assert read_lock()["rotation/not-rotated"] is Action.DRYRUN


def test_what_ships_is_not_milder_than_its_lock(pack: Pack) -> None:
    shipped = governance(pack)
    check_lock(shipped, read_lock())
    assert make_lock(shipped, undecided=UNEXCEPTABLE) == {key: action.value for key, action in read_lock().items()}


@pytest.mark.parametrize(
    ("everywhere", "told"),
    [
        ({"plaintext/environment": "warn"}, "rule plaintext/environment is warn at most, in any environment"),
        ({"references/not-found": "dryrun"}, "rule references/not-found is dryrun at most, in any environment"),
        ({"volumes/efs-unencrypted/contradiction": "dryrun"}, "rule volumes/efs-unencrypted/contradiction is dryrun"),
    ],
)
def test_what_is_milder_everywhere_is_refused(pack: Pack, everywhere: JSONObject, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        check_lock(governance(pack, everywhere=everywhere), read_lock())
    # One environment that is as strict as the lock is enough: one that nobody knows is judged by it.
    check_lock(governance(pack, everywhere=everywhere, but="prod"), read_lock())


def test_what_the_lock_allows_is_not(pack: Pack) -> None:
    check_lock(governance(pack, everywhere={"references/not-found": "warn", "roles/same-role": "dryrun"}), read_lock())


def test_a_rule_that_is_missing_is_refused(pack: Pack) -> None:
    with pytest.raises(PolicyError, match="rule rotation/pinned-version is missing"):
        check_lock(governance(pack, without="rotation/pinned-version"), read_lock())


def test_it_is_asked_before_a_revision_judges(revision: Revision) -> None:
    check_revision(revision)
    catalogue = {**revision.governance.catalogue}
    environments = {
        name: replace(each, actions={**each.actions, "logging/secret-option": Action.WARN})
        for name, each in revision.governance.environments.items()
    }
    softer = replace(revision, governance=replace(revision.governance, catalogue=catalogue, environments=environments))
    with pytest.raises(PolicyError, match="not fit to judge: rule logging/secret-option is warn at most"):
        check_revision(softer)
