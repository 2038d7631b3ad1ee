"""Verifies a log in a process of its own and says what that took: `python -m bench.log_verify URL LOG_KEY SEALER_KEY`.

As `ecs-admission log verify` does it, without an anchor. Prints JSON: the entries, the seconds, those of a processor,
the peak of its memory and the problems that were found.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from ecs_admission.decision_log.keys import read_public_key
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.verify import Evidence, verify_log


def main(url: str, log_key: Path, sealer_key: Path) -> None:
    """Verify everything there is."""
    reader = LogReader.open(url, timeout_seconds=3600)
    evidence = Evidence([read_public_key(log_key)], [read_public_key(sealer_key)])
    begin = time.perf_counter()
    report = verify_log(reader, evidence)
    seconds = time.perf_counter() - begin
    reader.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"entries": report.entries, "digests": report.digests.checked, "problems": dict(report.counts)}
    found |= {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1024}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
