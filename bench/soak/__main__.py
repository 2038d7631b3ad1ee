"""`python -m bench.soak --seconds 120`: see `run`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from os import kill
from pathlib import Path

import orjson
import psycopg

from bench.processes import children
from bench.soak.callers import Answered, Callers, Tally
from bench.soak.cluster import POLICIES, Cluster, Node, SoakError, run_cluster, wait_until

CALLERS = 4
EACH_PER_SECOND = 10.0
_ROLLED = POLICIES + "  plaintext/field: deny\n"


def main() -> None:
    """Run it, print what was found, and exit with 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the load lasts")
    seconds: float = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="ecs-admission-soak-"))
    try:
        problems = run(folder, seconds)
    except SoakError as error:
        problems = [str(error)]
    for problem in problems:
        _say(f"FAILED: {problem}")
    if problems:
        _say(f"what the programs printed is kept in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)
    _say("all of it holds")


def run(folder: Path, seconds: float) -> list[str]:
    """Load a cluster for so long while things happen to it, and say what does not hold."""
    with run_cluster(folder) as cluster:
        callers = Callers(cluster.port, callers=CALLERS, each_per_second=EACH_PER_SECOND)
        before = cluster.nodes[0].revision()
        begin = time.monotonic()
        callers.start()
        try:
            for share, what, happen in _events(cluster):
                _wait_until_time(begin + share * seconds)
                _say(f"{time.monotonic() - begin:5.1f} s  {what}")
                happen()
            _wait_until_time(begin + seconds)
        finally:
            tally = callers.stop()
        after = cluster.nodes[0].revision()
        for node in cluster.nodes:
            node.service.stop()
        cluster.sealer.stop()
        return [
            *_judge(tally, {str(before), str(after)}),
            *_compare(tally.answers, cluster),
            *_verify(tally.answers, cluster),
        ]


def _events(cluster: Cluster) -> list[tuple[float, str, Callable[[], object]]]:
    """What happens when, as a share of the time."""
    first, second = cluster.nodes

    def kill_a_worker() -> None:
        kill(_workers(first)[0], signal.SIGKILL)

    def start_again(node: Node) -> Callable[[], None]:
        def happen() -> None:
            node.service.start()
            wait_until(node.is_ready, f"{node.service.name} is ready again")

        return happen

    def roll() -> None:
        """Activate policies that both nodes get at the same time, and each OPA from its own service."""
        before = first.revision()
        cluster.write_policies(_ROLLED)
        wait_until(
            lambda: first.revision() == second.revision() != before and first.is_ready() and second.is_ready(),
            "both nodes judge by the new revision",
        )

    def restart_opa() -> None:
        second.opa.kill()
        second.opa.start()
        wait_until(second.is_ready, "the second node is ready with its new OPA")

    return [
        (0.10, "a worker of the first node is killed", kill_a_worker),
        (0.20, "the first node is killed with all its workers", first.service.kill),
        (0.25, "the first node is started again", start_again(first)),
        (0.45, "the second node is ended in good order", second.service.stop),
        (0.50, "the second node is started again", start_again(second)),
        (0.65, "both are rolled to new policies", roll),
        (0.80, "OPA of the second node is killed and started again", restart_opa),
    ]


def _judge(tally: Tally, revisions: set[str]) -> list[str]:
    """What callers saw that they should not have."""
    _say(f"{len(tally.answers)} decisions; {len(tally.retried)} tries without one: {dict(Counter(tally.retried))}")
    named = Counter(answer.revision for answer in tally.answers)
    problems = [f"no answer after one retry: {why} ({count} times)" for why, count in Counter(tally.failures).items()]
    if tally.wrong:
        problems.append(f"{len(tally.wrong)} answers are not what the request deserves")
    if not tally.answers or set(named) != revisions or len(revisions) != 2:
        problems.append(f"the answers name {len(named)} revisions, of {len(revisions)} that were active")
    return problems


def _compare(answers: list[Answered], cluster: Cluster) -> list[str]:
    """Decisions that callers hold and the record does not have, or has differently."""
    with psycopg.connect(cluster.environment["ECS_ADMISSION_DATABASE_READ_URL"]) as database:
        rows = database.execute("SELECT bytes FROM entries WHERE kind = 'decision'").fetchall()
    documents = (orjson.loads(bytes(content)) for (content,) in rows)
    recorded = {entry["id"]: (entry["outcome"] == "allowed", entry["policy"]["revision"]) for entry in documents}
    missing = [answer for answer in answers if answer.decision_id not in recorded]
    differing = [
        answer
        for answer in answers
        if answer not in missing and recorded[answer.decision_id] != (answer.allowed, answer.revision)
    ]
    unnamed = [name for name, (_, revision) in recorded.items() if not revision]
    _say(f"{len(recorded)} decisions in the record")
    found = {"without a record": missing, "recorded differently": differing, "of no revision": unnamed}
    return [f"{len(which)} decisions {what}" for what, which in found.items() if which]


def _verify(answers: list[Answered], cluster: Cluster) -> list[str]:
    """What an auditor finds who has the receipts that the callers kept."""
    receipts = cluster.folder / "receipts"
    receipts.write_text("".join(f"{answer.receipt}\n" for answer in answers))
    done = cluster.command("log", "verify", "--anchor", str(cluster.folder / "anchors"), "--receipts", str(receipts))
    summary = done.stdout.decode().strip().rpartition("\n")[2]
    _say(f"log verify: {summary} (exit status {done.returncode})")
    return [] if done.returncode == 0 else [f"the log does not verify: {summary} {done.stderr.decode()}"]


def _workers(node: Node) -> list[int]:
    """The processes of gunicorn's workers: the children that are forks of the master."""
    master = node.service.running
    if master is None:
        return []
    command = Path(f"/proc/{master.pid}/cmdline").read_bytes()
    return [pid for pid in children(master.pid) if Path(f"/proc/{pid}/cmdline").read_bytes() == command]


def _wait_until_time(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
