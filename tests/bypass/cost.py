"""What hostile bodies of a megabyte cost: `python -m tests.bypass.cost`, called by `make bench`.

Prints the slowest and ends with 1 where one takes two seconds of CPU or more, or is not decided.
"""

from __future__ import annotations

import sys
import time

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import load_pack
from ecs_admission.model import Outcome
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.revision import prepare
from tests.bypass.hiding import Submission
from tests.bypass.hostile import HOSTILE
from tests.bypass.test_bypass import Judge

_CPU_SECONDS = 2.0
_SHOWN = 10


def main() -> int:
    """Judge every kind once at full size."""
    pack = load_pack()
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=10.0)
    judge = Judge(prepare(pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=0))
    costs, undecided = [], []
    for kind, make in HOSTILE.items():
        begin = time.process_time()
        decision, _ = judge.judge(Submission(make(MAX_BYTES)))
        costs.append((time.process_time() - begin, kind))
        if decision.outcome in (Outcome.UNDECIDED, Outcome.FAIL_OPEN):
            undecided.append(kind)
    engine.close()
    print(f"{len(costs)} kinds of hostile bodies of 1 MiB, seconds of CPU of the {_SHOWN} slowest:")
    for seconds, kind in sorted(costs, reverse=True)[:_SHOWN]:
        print(f"  {seconds:5.2f}  {kind}")
    for kind in undecided:
        print(f"  not decided: {kind}")
    return int(bool(undecided) or max(costs)[0] >= _CPU_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
