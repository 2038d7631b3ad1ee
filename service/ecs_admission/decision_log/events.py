"""What becomes an entry when policies or keys change: kinds with their details. Pure; `entries` makes drafts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from ecs_admission.governance import PolicyException
from ecs_admission.model import JSONObject, Refusal
from ecs_admission.serials import Mark

Event: TypeAlias = tuple[str, JSONObject]
"""A kind and its `details`."""


def policies_activated(
    *,
    previous: str,
    weakened: Sequence[str],
    before: Sequence[PolicyException],
    after: Sequence[PolicyException],
    bundle: JSONObject | None = None,
) -> Iterator[Event]:
    """The revision that judges from now on, and every exception that it brings or no longer has.

    `bundle` is what there is to say of the bundle that it came from, see `bundle_details`.
    """
    yield (
        "policy_activate",
        {
            "previous": previous,
            "weakened": list(weakened),
            "exceptions": [exception.id for exception in after],
            **(bundle or {}),
        },
    )
    yield from exceptions_changed(before, after)


def bundle_details(mark: Mark | None, highest: Mark | None, commit: str | None) -> JSONObject:
    """What is recorded of a bundle: which it is, and which had the highest serial that was active."""
    details: JSONObject = {}
    if mark is not None:
        details |= {"serial": mark.serial, "bundle": mark.revision, "commit": commit}
    if highest is not None:
        details |= {"highestSerial": highest.serial, "highestBundle": highest.revision}
    return details


def exceptions_changed(before: Iterable[PolicyException], after: Iterable[PolicyException]) -> Iterator[Event]:
    """The difference between two revisions. One that was changed goes, and comes with its new content."""
    old, new = ({exception.id: _described(exception) for exception in side} for side in (before, after))
    yield from (("exception_remove", details) for key, details in sorted(old.items()) if new.get(key) != details)
    yield from (("exception_add", details) for key, details in sorted(new.items()) if old.get(key) != details)


def policies_refused(refusal: Refusal) -> Event:
    """Why the policies that are in place do not judge."""
    return "policy_refuse", {"refusal": refusal.reason}


def policies_tried(unfit: Refusal | None) -> Event:
    """That what judges is no longer fit to, and why, or that it is again."""
    return ("policy_unfit", {"unfit": unfit.reason}) if unfit is not None else ("policy_fit", {})


def keys_rotated(before: JSONObject, after: Mapping[str, str]) -> Iterator[Event]:
    """The keys that a process uses and the one before it did not, by the details of that one's `node_start`."""
    for name, key in sorted(after.items()):
        previous = before.get(name)
        if isinstance(previous, str) and previous != key:
            yield "key_rotation", {"key": name, "previous": previous, "next": key}


def _described(exception: PolicyException) -> JSONObject:
    last_day = datetime.fromtimestamp(exception.expires, UTC) - timedelta(days=1)
    return {
        "exception": exception.id,
        "match": [f"{name}={value}" for name, value in sorted(exception.match.items())],
        "expires": last_day.date().isoformat(),
        "reason": exception.reason,
        "owner": exception.owner,
        "approver": exception.approver,
        "issue": exception.issue,
    }
