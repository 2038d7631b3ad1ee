"""The embedded engine: OPA's own compiler output, WebAssembly, run in this process by opa-py-wasm.

Make it after fork: it starts a thread that enforces deadlines. Why this engine: `docs/adr/0001-embedded-engine.md`.
"""

from __future__ import annotations

import logging

import orjson
from opapywasm import UNDEFINED, OpaWasmPolicy, PolicyConfig, runtime
from opapywasm.errors import OpaPoolTimeoutError, OpaWasmError

from ecs_admission.engines.pack import ENTRYPOINT, Pack
from ecs_admission.engines.protocol import read_evaluation
from ecs_admission.errors import AdmissionError, CannotDecideError, DeadlineError, EngineUnavailableError, PolicyError
from ecs_admission.model import Evaluation, PolicyInput

_MAX_MEMORY_PAGES = 1024  # 64 MiB an instance; 10 x 200 variables take under 4 MiB
_INITIAL_MEMORY_PAGES = 64  # what a module may ask for at the beginning: 4 MiB, of which only what is used is real
_MAX_INSTANCES = 4  # an evaluation takes less than a millisecond, and each instance keeps the memory it once needed
_MAX_INPUT_BYTES = 2 * 1024 * 1024
_MAX_RESULT_BYTES = 1024 * 1024

# The library logs what a policy prints and why it aborted. Policies cannot print (see capabilities.json), and an
# abort's text is not ours to show.
logging.getLogger("opapywasm").setLevel(logging.CRITICAL)


# A module imports memory of at least as many pages as its constants take, and the library gives each module two, which
# some fifty rules outgrow ("memory types incompatible"). It has no setting for it (opa-py-wasm 1.2.1).
runtime._DEFAULT_MEMORY_PAGES = _INITIAL_MEMORY_PAGES


class EmbeddedEngine:
    """See `PolicyEngine`. At most `threads` evaluations run at once, and no more than four; others wait for them.

    Each may take `deadline_seconds`, and so may the wait.
    """

    name = "embedded"

    def __init__(self, pack: Pack, *, threads: int, deadline_seconds: float) -> None:
        config = PolicyConfig(
            pool_size=min(threads, _MAX_INSTANCES),
            default_entrypoint=ENTRYPOINT,
            borrow_timeout_seconds=deadline_seconds,
            eval_timeout_seconds=deadline_seconds,
            max_memory_pages=_MAX_MEMORY_PAGES,
            max_input_bytes=_MAX_INPUT_BYTES,
            max_result_bytes=_MAX_RESULT_BYTES,
            parse_raw_json_input=False,  # the bytes are our own orjson.dumps
        )
        try:
            self._policy = OpaWasmPolicy.from_wasm_bytes(pack.wasm, config=config)
            self._policy.set_data(orjson.dumps(pack.data))
        except OpaWasmError as error:
            raise PolicyError(f"the compiled policies do not load: {type(error).__name__}") from None
        if self._policy.builtins:
            self._policy.close()
            raise PolicyError("the compiled policies call built-ins that are not native to WebAssembly")

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine`."""
        failure: AdmissionError
        try:
            answer = self._policy.evaluate(policy_input.body)
        except OpaPoolTimeoutError:
            failure = DeadlineError("no instance of the embedded engine became free inside the deadline")
        except OpaWasmError as error:
            # The text of these errors can hold raw results, so only what kind of error it was is kept.
            failure = _translate(error)
        else:
            if answer is UNDEFINED:
                raise CannotDecideError("the policies left the evaluation undefined")
            return read_evaluation(answer)
        raise failure

    def probe(self) -> None:
        """See `PolicyEngine`. In process there is nothing that could be away."""

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`."""
        return False

    def close(self) -> None:
        """See `PolicyEngine`."""
        self._policy.close()


def _translate(error: OpaWasmError) -> AdmissionError:
    if "time limit" in str(error):
        return DeadlineError("the evaluation did not finish inside the deadline")
    return EngineUnavailableError(f"the embedded engine broke off: {type(error).__name__}")
