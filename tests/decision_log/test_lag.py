"""How far the sealer is behind. On both databases."""

from __future__ import annotations

from ecs_admission.decision_log.anchors import AnchorError, FolderAnchor
from ecs_admission.decision_log.digests import SignedDigest
from ecs_admission.decision_log.lag import AnchorLag, SealingLag, sealing_lag
from ecs_admission.decision_log.store import DecisionLog

from .conftest import LogOpener, make_draft
from .databases import LogDatabase
from .sealing import SECOND_US, Sealing


class BrokenAnchor(FolderAnchor):
    """One that takes nothing."""

    def put(self, digest: SignedDigest) -> None:
        raise AnchorError("the anchor is away")


def test_of_a_log_that_was_never_sealed_everything_waits(log: DecisionLog, database: LogDatabase) -> None:
    log.append(make_draft(time_us=5_000_000), deadline_seconds=5)
    ((start,),) = database.rows("SELECT time FROM entries WHERE sequence = 0")

    lag = sealing_lag(log.reader, ["/anchors"])

    assert lag == SealingLag(None, None, 2, start, (AnchorLag("/anchors", 0),))
    assert lag.seconds(start + 3 * SECOND_US) == 3


def test_what_came_after_the_newest_digest_is_counted(
    open_log: LogOpener, sealing: Sealing, database: LogDatabase
) -> None:
    first, second = open_log(writer="writer-1"), open_log(writer="writer-2")
    sealer = sealing.sealer()
    sealer.step()
    made = sealing.clock.now_us
    assert sealing_lag(first.reader) == SealingLag(0, made, 0, None, (AnchorLag(sealing.anchor.name, 0),))
    for log, times in ((first, (7, 9)), (second, (8,))):
        for time_us in times:
            log.append(make_draft(time_us=time_us), deadline_seconds=5)

    lag = sealing_lag(first.reader)

    assert (lag.newest_digest, lag.unsealed, lag.oldest_unsealed_us) == (0, 3, 7)
    assert (lag.seconds(made + 4 * SECOND_US), lag.seconds(made - 1)) == (4, 0)
    sealer.step()
    assert sealing_lag(first.reader).unsealed == 0


def test_a_chain_that_is_refused_stays_behind(log: DecisionLog, sealing: Sealing, database: LogDatabase) -> None:
    for _ in range(3):
        log.append(make_draft(), deadline_seconds=5)
    database.tamper("UPDATE entries SET hash = 'x' WHERE sequence = 2")

    sealing.sealer().step()

    assert sealing_lag(log.reader).unsealed == 2


def test_digests_that_an_anchor_does_not_take_wait(log: DecisionLog, sealing: Sealing) -> None:
    broken = BrokenAnchor(sealing.folder / "broken")
    sealer = sealing.sealer(anchors=[sealing.anchor, broken])
    since = sealing.clock.now_us
    for _ in range(3):
        sealer.step()
        sealing.clock.pass_by(10)

    lag = sealing_lag(log.reader, [sealing.anchor.name, broken.name, "/never"])

    assert lag.anchors == (
        AnchorLag(sealing.anchor.name, 0),
        AnchorLag(broken.name, 3, since, "the anchor is away"),
        AnchorLag("/never", 3),
    )
    assert {each.anchor for each in sealing_lag(log.reader).anchors} == {sealing.anchor.name, broken.name}
