"""One tree of errors. The text of each is safe to show: it never holds a value that a caller submitted."""

from __future__ import annotations

from typing import ClassVar


class AdmissionError(Exception):
    """Something kept us from a decision; `reason` is the contract's word for it."""

    reason: ClassVar[str] = "CannotDecide"
    code: str | None = None


class InputError(AdmissionError):
    """The submitted document cannot be judged, whatever the policies say.

    `code` is a lasting identifier such as `duplicate-key`, `status` the HTTP status (400, 413 or 422) and
    `pointer` the JSON Pointer of the place, in which keys that AWS does not know are given by index (`<4>`).
    """

    reason = "InvalidRequest"

    def __init__(self, code: str, message: str, *, status: int = 422, pointer: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.pointer = pointer


class UnauthorizedError(AdmissionError):
    """Nothing that was sent shows who asks. `code` says what is wrong, `status` is 401, or 429 for one who goes on."""

    reason = "Unauthorized"

    def __init__(self, code: str, message: str, *, status: int = 401) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ForbiddenError(InputError):
    """Who asks is known, and may not do this or not do it here."""

    reason = "Forbidden"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=403)


class CannotDecideError(AdmissionError):
    """An answer arrived that proves nothing: undefined, for another decision, or from another revision."""

    def __init__(self, message: str, *, code: str = "no-proof") -> None:
        super().__init__(message)
        self.code = code


class EngineUnavailableError(AdmissionError):
    """The policy engine could not be reached or broke off."""

    reason = "EngineUnavailable"


class EngineUnreachableError(EngineUnavailableError):
    """Nobody listens where the policy engine should be: no connection was made, and nothing was sent.

    The only error that a failure policy may ignore. See ADR 0014.
    """

    code = "unreachable"


class DeadlineError(AdmissionError):
    """A step did not finish inside its deadline."""

    reason = "Timeout"


class RecordUnavailableError(AdmissionError):
    """The decision could not be made durable, so nobody may be told of it."""

    reason = "RecordUnavailable"


class PolicyError(AdmissionError):
    """A policy pack is incomplete or inconsistent. Names file, line and reason where they are known.

    `at` is the place in the data that the reason is about, as keys and indexes from the root of OPA's base document.
    """

    def __init__(self, reason: str, *, at: tuple[str | int, ...] | None = None) -> None:
        where = "/".join(str(key) for key in at) + ": " if at else ""
        super().__init__(f"{where}{reason}")
        self.at = at
        self.reason_text = reason


class PolicyUnavailableError(PolicyError):
    """Policies could not be got for a cause that may pass: the next attempt may work though nothing has changed."""


class SettingsError(AdmissionError):
    """The service refuses to start as configured. The text lists every problem found."""
