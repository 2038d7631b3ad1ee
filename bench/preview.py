"""What `policies preview` takes for recorded decisions: `python -m bench.preview [RECORDS]`.

The records are real: requests of the bench, reviewed and kept in a log on SQLite in this folder. The draft only warns,
in production. Measured is the whole command, with the start of Python and the trial of the draft.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from bench.bodies import SIZES, request_body
from bench.scratch import scratch
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.keys import load_or_create_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import load_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.journal import node_entry
from ecs_admission.model import UserInfo, new_decision_id
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import prepare


def main(count: int) -> None:
    """Print the seconds that a preview of `count` records takes, by the size of the requests."""
    for size in SIZES[:3]:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            _fill(Path(folder), count, [request_body(size, leaky=leaky) for leaky in (True, False)])
            layer = Path(folder) / "draft" / "config" / "environments" / "data.json"
            layer.parent.mkdir(parents=True)
            actions = dict.fromkeys(load_pack().catalogue, "warn")
            layer.write_text(json.dumps({"prod": {"profile": "baseline", "actions": actions}}))
            command = ["policies", "preview", "--policies", f"{folder}/draft", "--since", "1d", "--output", "json"]
            start = time.perf_counter()
            result = subprocess.run(
                [Path(sys.executable).parent / "ecs-admission", *command],
                env=os.environ | {"ECS_ADMISSION_DATA_DIR": folder},
                check=True,
                stdout=subprocess.PIPE,
            )
            seconds = time.perf_counter() - start
            document = json.loads(result.stdout)
            changed = document["changes"]["newlyAllowed"]
            print(
                f"{size.label}: {document['records']['judged']} records, {changed} changed, {seconds:.1f} s", flush=True
            )


def _fill(folder: Path, count: int, bodies: list[bytes]) -> None:
    pack = load_pack()
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=10)
    revision = prepare(
        pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=time.time()
    )  # fmt: skip
    log = DecisionLog.open(
        f"sqlite:///{folder}/decisions.sqlite3",
        writer=new_decision_id(),
        start=node_entry("node_start", "embedded", revision.id),
        log_key=load_or_create_signing_key(folder / "signing.key"),
        timeout_seconds=10,
    )
    record = partial(log.append, deadline_seconds=10)
    reviewer = Reviewer(revision, inventory=NoInventory(), recorder=record, on_error=_fail)
    for body in islice(cycle(bodies), count):
        read = partial(read_operation, "RegisterTaskDefinition", body, [("environment", "prod")])
        reviewer.review(read, operation="RegisterTaskDefinition", user=UserInfo("bench"), enforcement_point="bench")
    log.close()
    engine.close()


def _fail(error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
