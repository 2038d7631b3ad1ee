"""Comments by which scanners are told to look away, inside the value, above it, behind it and beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.bypass.hiding import Made, Secrets, Ways, environment, shell, task

COMMENTS = (
    "kingfisher:ignore",
    "gitleaks:allow",
    "trufflehog:ignore",
    "pragma: allowlist secret",
    "pragma: allowlist nextline secret",
    "pragma: whitelist secret",
    "nosec",
    "noqa",
    "noqa: S105",
    "nosemgrep",
    "nosemgrep: generic.secrets.security.detected-generic-secret",
    "semgrep:ignore",
    "checkov:skip=CKV_SECRET_6:no secret",
    "bridgecrew:skip=CKV_SECRET_6:no secret",
    "tfsec:ignore:*",
    "trivy:ignore:*",
    "kics-scan ignore-line",
    "kics-scan disable=all",
    "ggignore",
    "pragma: no-secret",
    "terrascan:skip",
    "NOSONAR",
    "DevSkim: ignore DS173237",
    "talisman:ignore",
    "whispers:ignore",
    "ecs-admission:ignore",
    "rego:ignore",
    "regula:ignore",
    "cfn-lint: disable",
    "cfn_nag: rules_to_suppress",
    "lgtm[py/hardcoded-credentials]",
    "codeql[py/hardcoded-credentials]",
)


def inside_the_value(s: Secrets, comment: str) -> Made:
    return environment(("DB_PASSWORD", f"{s.password()} # {comment}"), ("BUILD", f"{s.token()} # {comment}"))


def above_the_value(s: Secrets, comment: str) -> Made:
    return environment(("BUILD", f"# {comment}\n{s.token()}"))


def in_the_neighbours(s: Secrets, comment: str) -> Made:
    return environment(("A", f"# {comment}"), ("BUILD", s.token()), ("Z", f"# {comment}"))


def in_the_name(s: Secrets, comment: str) -> Made:
    return environment((f"BUILD # {comment}", s.token()))


def in_a_comment_of_yaml(s: Secrets, comment: str) -> Made:
    return (
        f"# {comment}\nfamily: orders\ncontainerDefinitions:\n- name: app\n  image: nginx\n  environment:\n"
        f"  - name: DB_PASSWORD # {comment}\n    # {comment}\n    value: {s.password()} # {comment}\n"
    )


def in_a_command(s: Secrets, comment: str) -> Made:
    return shell(f"# {comment}\nserve --db-password={s.password()} # {comment}")


def in_a_member_of_its_own(s: Secrets, comment: str) -> Made:
    return task(
        {"environment": [{"name": "DB_PASSWORD", "value": s.password(), "comment": comment}], "x-ignore": comment},
        Metadata={"comment": comment, "checkov": {"skip": [{"id": "CKV_SECRET_6", "comment": comment}]}},
    )


PLACES: Mapping[str, Callable[[Secrets, str], Made]] = {
    place.__name__.replace("_", " "): place
    for place in (
        inside_the_value,
        above_the_value,
        in_the_neighbours,
        in_the_name,
        in_a_comment_of_yaml,
        in_a_command,
        in_a_member_of_its_own,
    )
}

WAYS: Ways = {
    f"`{comment}` {name}": lambda s, place=place, comment=comment: place(s, comment)
    for comment in COMMENTS
    for name, place in PLACES.items()
}
