"""What it costs to count a review with its request and record, in files that processes share."""

from __future__ import annotations

import os
import statistics
import tempfile
import time

ROUNDS = 60
REVIEWS = 100


def main() -> None:
    """Print the median and the least of the rounds, in microseconds a review."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before prometheus-client is imported
        from ecs_admission.metering import Meters
        from ecs_admission.metrics import STEPS
        from ecs_admission.model import Decision, Outcome
        from ecs_admission.observation import Recorded, RequestBegan, RequestEnded, Reviewed

        meters = Meters("worker")
        review = Reviewed(
            decision=Decision(Outcome.ALLOWED, "", "the request complies"),
            decision_id="1",
            revision="sha256:1",
            engine="embedded",
            enforcement_point="operations",
            operation="RunTask",
            environment="prod",
            duration_us=2_000,
            timings_us=dict.fromkeys(STEPS, 300),
        )
        events = (RequestBegan(), Recorded("decision", True), review, RequestEnded("admission.operations", 200))
        times = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            for _ in range(REVIEWS):
                for event in events:
                    meters(event)
            times.append((time.perf_counter() - begin) / REVIEWS * 1e6)
    print(f"{statistics.median(times):.0f} us a review (least {min(times):.0f}), {ROUNDS} rounds of {REVIEWS}")


if __name__ == "__main__":
    main()
