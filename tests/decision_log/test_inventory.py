"""The inventory of a request: what it holds, that it cannot be exchanged, and that a value is found in it again."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest

from ecs_admission.adapt.submission import read_operation
from ecs_admission.auth.bindings import Scope
from ecs_admission.decision_log import inventory as module
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.decision_log.filters import Filters, read_filters
from ecs_admission.decision_log.inventory import Search, Sought, cannot_know, inventory_id, search_log
from ecs_admission.decision_log.queries import DECISIONS, LogReader
from ecs_admission.decision_log.retention import Request, Retention
from ecs_admission.decision_log.scopes import within
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.verify import Evidence, verify_log
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import InputError
from ecs_admission.model import JSONObject, UserInfo
from ecs_admission.project.detectors.protocol import Leaf
from ecs_admission.project.fingerprints import FingerprintKey, make_key
from ecs_admission.project.inventory import MAX_LITERALS, MIN_CHARS, take_inventory
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.project.samples import environment

from .conftest import LOG_KEY, LogOpener, make_draft
from .databases import LogDatabase
from .sealing import SEALER_KEY, Sealing

OTHER = make_key(bytes(range(1, 33)))

Admit = Callable[..., str]


def inventory_of(draft: EntryDraft) -> JSONObject:
    document: JSONObject = orjson.loads(draft.inventory or b"")
    return document


def sought(value: str, *keys: FingerprintKey) -> list[Sought]:
    return [Sought(key.id, key.fingerprint(value), key.marker()(value).hex()) for key in keys]


def reviewed(revision: Revision, document: JSONObject, *, days: float = 0, **context: str) -> EntryDraft:
    """What the pipeline has to say of a request."""
    drafts: list[EntryDraft] = []
    Reviewer(
        revision,
        inventory=NoInventory(),
        recorder=drafts.append,
        on_error=_fail,
        clock=lambda: time.time() - days * 86_400,
    ).review(
        partial(read_operation, "RegisterTaskDefinition", orjson.dumps(document), context.items()),
        operation="RegisterTaskDefinition",
        user=UserInfo("pipeline"),
        enforcement_point="test",
    )
    return drafts[0]


def _fail(error: Exception) -> None:
    raise error


@pytest.fixture
def admit(log: DecisionLog, revision: Revision) -> Admit:
    """Has a request decided and recorded, and returns the decision's id."""

    def admit(document: JSONObject, **options: Any) -> str:
        draft = reviewed(revision, document, **options)
        log.append(draft, deadline_seconds=5)
        return draft.id

    return admit


def ask(reader: LogReader, value: str, *keys: FingerprintKey, filters: Filters = DECISIONS, **options: Any) -> Search:
    return search_log(reader, sought(value, *keys), filters, **{"seconds": 30.0, **options})


class TestWhatItHolds:
    def test_of_each_longer_literal_the_place_the_name_and_a_keyed_hash(
        self, revision: Revision, key: FingerprintKey
    ) -> None:
        document = environment([("LOG_FORMAT", "structured"), ("SHORT", "1234567"), ("EXACT", "12345678")])
        found = inventory_of(reviewed(revision, document))
        begin = "/containerDefinitions/0/environment/"
        places = dict(zip(found["pointers"], found["names"], strict=True))
        assert places[f"{begin}0/value"] == "LOG_FORMAT"
        assert f"{begin}1/value" not in places
        assert places[f"{begin}2/value"] == "EXACT"
        number = found["pointers"].index(f"{begin}0/value")
        mark = found["fingerprints"][number * 32 : number * 32 + 32]
        expected = hashlib.blake2b(b"structured", key=bytes(range(32)), digest_size=16, person=b"inventory")
        assert (found["key"], mark) == (key.id, expected.hexdigest())

    def test_it_holds_no_value_and_no_fingerprint_of_the_policy_input(self, revision: Revision) -> None:
        value = secrets.token_hex(16)
        draft = reviewed(revision, environment([("DB_PASSWORD", value), (secrets.token_hex(12), value)]))
        inventory, body = draft.inventory or b"", draft.body or b""
        assert value.encode() not in inventory
        fingerprints = {each["fingerprint"].partition(":")[2] for each in orjson.loads(body)["literals"]}
        assert fingerprints
        assert not any(each.encode() in inventory for each in fingerprints)

    def test_a_part_of_a_literal_is_in_it_too(self, revision: Revision, key: FingerprintKey) -> None:
        value = secrets.token_hex(10)
        found = inventory_of(
            reviewed(revision, environment([("DATABASE_URL", f"postgres://app:{value}@db.example.com/app")]))
        )
        assert key.marker()(value).hex() in found["fingerprints"]

    def test_its_hash_is_in_the_entry(self, revision: Revision) -> None:
        draft = reviewed(revision, environment([("LOG_FORMAT", "structured")]))
        assert draft.document["inventory"] == hashlib.sha256(draft.inventory or b"").hexdigest()
        assert make_draft().document["inventory"] is None

    def test_it_has_an_end(self, key: FingerprintKey) -> None:
        leaves = [Leaf(f"/x/{number}", None, "field", f"value-{number:05}") for number in range(MAX_LITERALS + 3)]
        found = orjson.loads(take_inventory(leaves, key))
        assert (len(found["pointers"]), len(found["names"]), found["leftOut"]) == (MAX_LITERALS, MAX_LITERALS, 3)
        assert len(found["fingerprints"]) == 32 * MAX_LITERALS

    def test_no_name_that_may_not_be_shown_is_in_it(self, key: FingerprintKey) -> None:
        leaf = Leaf("/x", None, "field", "some-longer-value", name="hidden-name", shown="<redacted>")
        found = orjson.loads(take_inventory([leaf, leaf._replace(shown=None)], key))
        assert found["names"] == ["<redacted>", None]


class TestSearching:
    def test_a_value_is_found_with_where_it_was(self, log: DecisionLog, admit: Admit, key: FingerprintKey) -> None:
        document = environment([("GREETING", "Good morning"), ("LOG_LEVEL", "info")])
        first = admit(document, days=2)
        admit(environment([("GREETING", "Good evening")]), days=1)
        second = admit(document | {"family": "api"}, environment="prod")
        search = ask(log.reader, "Good morning", key)
        assert [sighting.entry["id"] for sighting in search.found] == [second, first]
        assert search.found[0].document() == {
            "id": second,
            "time": search.found[0].entry["time"],
            "outcome": "allowed",
            "operation": "RegisterTaskDefinition",
            "family": "api",
            "environment": "prod",
            "account": None,
            "region": None,
            "repository": None,
            "actor": None,
            "places": [{"pointer": "/containerDefinitions/0/environment/0/value", "name": "GREETING"}],
        }
        assert (search.searched, search.without, search.next) == (3, 0, None)

    def test_a_value_that_was_never_there_is_not_found(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey
    ) -> None:
        admit(environment([("GREETING", "Good morning")]))
        for value in ("Good mornin", "good morning", "Good morning ", "Good morning\n"):
            assert ask(log.reader, value, key).found == []

    def test_every_live_key_is_tried_and_no_other(self, log: DecisionLog, admit: Admit, key: FingerprintKey) -> None:
        admit(environment([("GREETING", "Good morning")]))
        assert ask(log.reader, "Good morning", OTHER).found == []
        assert len(ask(log.reader, "Good morning", OTHER, key).found) == 1

    def test_a_mark_under_the_id_of_another_key_is_none(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey
    ) -> None:
        admit(environment([("GREETING", "Good morning")]))
        (one,) = sought("Good morning", key)
        search = search_log(log.reader, [Sought(OTHER.id, "k00000000:", one.mark)], Filters(), seconds=30)
        assert search.found == []

    def test_a_match_across_two_hashes_is_none(
        self, log: DecisionLog, admit: Admit, database: LogDatabase, key: FingerprintKey
    ) -> None:
        admit(environment([("GREETING", "Good morning"), ("FAREWELL", "Good evening")]))
        (content,), _ = database.rows("SELECT bytes FROM bodies ORDER BY id DESC")
        shifted = orjson.loads(content)["fingerprints"][1:33]
        assert search_log(log.reader, [Sought(key.id, "", shifted)], Filters(), seconds=30).found == []

    def test_a_short_value_is_found_where_a_detector_noticed_it(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey
    ) -> None:
        decision = admit(environment([("DB_PASSWORD", "Xk3-q9!")]))
        (sighting,) = ask(log.reader, "Xk3-q9!", key).found
        assert sighting.entry["id"] == decision
        assert sighting.places == (("/containerDefinitions/0/environment/0/value", "DB_PASSWORD"),)

    def test_one_place_is_told_once(self, log: DecisionLog, admit: Admit, key: FingerprintKey) -> None:
        value = secrets.token_hex(16)
        admit(environment([("DB_PASSWORD", value)]))
        (sighting,) = ask(log.reader, value, key).found
        assert sighting.places == (("/containerDefinitions/0/environment/0/value", "DB_PASSWORD"),)

    def test_it_goes_on_where_it_stopped(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAGE", 2)
        wanted = [admit(environment([("GREETING", "Good morning")]), days=5 - number) for number in range(5)]
        found, cursor, asked = [], None, 0
        while asked == 0 or cursor is not None:
            search = ask(log.reader, "Good morning", key, cursor=cursor, seconds=0.0)
            found += [sighting.entry["id"] for sighting in search.found]
            cursor, asked = search.next, asked + 1
        assert found == wanted[::-1]
        assert asked == 3

    def test_what_is_over_the_limit_comes_with_the_next(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey
    ) -> None:
        wanted = [admit(environment([("GREETING", "Good morning")]), days=5 - number) for number in range(5)]
        found, cursor = [], None
        for _ in range(3):
            search = ask(log.reader, "Good morning", key, cursor=cursor, limit=2)
            found += [sighting.entry["id"] for sighting in search.found]
            cursor = search.next
        assert found == wanted[::-1]
        assert cursor is None

    def test_times_and_the_scope_of_a_reader_limit_it(
        self, log: DecisionLog, admit: Admit, key: FingerprintKey
    ) -> None:
        document = environment([("GREETING", "Good morning")])
        admit(document, days=9)
        web = admit(document, days=1)
        admit(document | {"family": "api"}, days=1)
        filters = read_filters([("since", "7d")], now=time.time())
        scope = within([Scope(families=("web",))])
        assert [s.entry["id"] for s in ask(log.reader, "Good morning", key, filters=filters, scope=scope).found] == [
            web
        ]

    @pytest.mark.parametrize("cursor", ["", "1", "x:y", "1:", "01:a", "1:a b", "1:a'"])
    def test_a_cursor_of_ones_own_making_is_refused(self, log: DecisionLog, key: FingerprintKey, cursor: str) -> None:
        with pytest.raises(InputError) as caught:
            ask(log.reader, "Good morning", key, cursor=cursor)
        assert caught.value.code == "bad-cursor"


class TestWhatItCannotKnow:
    def test_short_values_other_keys_and_texts_around_it(self) -> None:
        sentences = list(cannot_know(Search(), ["k00000000"], characters=7, least=MIN_CHARS))
        assert [
            word for word in ("fewer than 8", "k00000000", "inside a longer") if word not in " ".join(sentences)
        ] == []
        assert len(list(cannot_know(Search(), ["k00000000"], characters=8, least=MIN_CHARS))) == 2

    def test_bodies_that_are_gone(self, log: DecisionLog, key: FingerprintKey) -> None:
        log.append(make_draft(), deadline_seconds=5)
        search = ask(log.reader, "Good morning", key)
        assert (search.searched, search.without) == (1, 1)
        assert any(
            "1 of 1 decisions have no inventory" in s for s in cannot_know(search, ["k"], characters=12, least=8)
        )

    def test_an_inventory_that_was_exchanged(
        self, log: DecisionLog, admit: Admit, database: LogDatabase, key: FingerprintKey
    ) -> None:
        first, second = (admit(environment([("GREETING", text)])) for text in ("Good morning", "Good evening"))
        database.tamper(
            f"UPDATE bodies SET bytes = (SELECT bytes FROM bodies WHERE id = '{inventory_id(first)}') "  # noqa: S608
            f"WHERE id = '{inventory_id(second)}'"
        )
        search = ask(log.reader, "Good morning", key)
        assert ([s.entry["id"] for s in search.found], search.damaged) == ([first], 1)

    def test_where_it_stopped(self) -> None:
        assert any("cursor" in s for s in cannot_know(Search(next="1:a"), [], characters=9, least=8))


class TestKeeping:
    EVIDENCE = Evidence(log_keys=[LOG_KEY.public])

    def test_it_verifies(self, log: DecisionLog, admit: Admit) -> None:
        admit(environment([("GREETING", "Good morning")]))
        assert verify_log(log.reader, self.EVIDENCE).problems == ()

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            ("UPDATE bodies SET bytes = {hex} WHERE id = '{id}:inventory'", "body"),
            ("UPDATE bodies SET sha256 = 'x' WHERE id = '{id}:inventory'", "body"),
            ("DELETE FROM bodies WHERE id = '{id}:inventory'", "missing-body"),
            ("UPDATE bodies SET id = 'nobody:inventory' WHERE id = '{id}:inventory'", "missing-body"),
            ("INSERT INTO bodies SELECT 'nobody:inventory', bytes, sha256 FROM bodies WHERE id = '{id}'",
             "unexpected-body"),
            ("INSERT INTO bodies SELECT '{id}:inventory:inventory', bytes, sha256 FROM bodies WHERE id = '{id}'",
             "unexpected-body"),
        ],
    )  # fmt: skip
    def test_what_was_done_to_one_is_found(
        self, log: DecisionLog, admit: Admit, database: LogDatabase, statement: str, problem: str
    ) -> None:
        decision = admit(environment([("GREETING", "Good morning")]))
        text = "x'7b7d'" if "sqlite" in database.url else "'\\x7b7d'"
        database.tamper(statement.format(id=decision, hex=text))
        assert problem in {each.problem for each in verify_log(log.reader, self.EVIDENCE).problems}

    def test_one_of_an_entry_that_has_none_is_found(self, log: DecisionLog, database: LogDatabase) -> None:
        draft = make_draft()
        log.append(draft, deadline_seconds=5)
        database.tamper(
            f"INSERT INTO bodies SELECT '{draft.id}:inventory', bytes, sha256 FROM bodies"  # noqa: S608
        )
        assert [each.problem for each in verify_log(log.reader, self.EVIDENCE).problems] == ["body"]

    def test_retention_drops_it_with_the_body(
        self,
        log: DecisionLog,
        admit: Admit,
        open_database: LogOpener,
        database: LogDatabase,
        sealing: Sealing,
        key: FingerprintKey,
    ) -> None:
        owner = open_database(database, url=database.owner_url, writer="owner")
        sealing.clock.pass_by(-500 * 86_400)
        admit(environment([("GREETING", "Good morning")]), days=500)
        sealer = sealing.sealer()
        sealer.step()
        sealer.close()
        sealing.clock.pass_by(500 * 86_400)
        retention = Retention(
            owner,
            database.owner_url,
            log_keys=[LOG_KEY.public],
            sealer_keys=[SEALER_KEY.public],
            anchors=[sealing.anchor],
            clock_us=lambda: sealing.clock.now_us,
        )
        request = Request(older_than_days=400, operators=("ada",))
        plan = retention.plan(request)
        assert plan is not None
        assert retention.run(request, plan) == 1
        assert database.rows("SELECT id FROM bodies") == []
        search = ask(log.reader, "Good morning", key)
        assert (search.found, search.without) == ([], 1)
        assert sealing.verify().problems == ()


def test_the_policy_engine_does_not_see_it(revision: Revision, key: FingerprintKey) -> None:
    draft = reviewed(revision, environment([("GREETING", "Good morning")]))
    body = (draft.body or b"").decode()
    assert key.marker()("Good morning").hex() not in body
    assert "inventory" not in json.loads(body)
