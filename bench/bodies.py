"""Makes the `RegisterTaskDefinition` bodies of the bench, the same ones in every process for one seed.

Every secret in a leaky body is made at run time, so no file of this project holds text that looks live.
"""

from __future__ import annotations

import json
import random
import string
import zlib
from dataclasses import dataclass

SEED = 20261124
ACCOUNT = "111122223333"
REGION = "eu-central-1"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_WORDS = (
    *("orders", "billing", "catalog", "search", "invoices", "shipping", "pricing", "customers", "inventory", "reports"),
    *("media", "events", "metrics", "returns", "loyalty", "coupons", "reviews", "ranking", "exports", "partners"),
    *("warehouse", "delivery", "calendar", "profile", "storefront"),
)
_ZONES = ("eu-central-1a", "eu-central-1b", "eu-west-1c", "us-east-1d")
_IMAGE_REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

# Name and value of a container's variables, in turn. {a}, {b} and {c} are words, {n} a number.
_VARIABLES = (
    ("{A}_SERVICE_URL", "https://{a}-{b}.{zone}.internal.example.com:8443/api/v2/{c}?page_size={n}&sort=descending"),
    ("{A}_LOG_LEVEL", "info"),
    ("{A}_DATABASE_HOST", "{a}-{b}-cluster.cluster-ro-example.eu-central-1.rds.amazonaws.com"),
    ("FEATURE_{A}_{B}_ENABLED", "{flag}"),
    ("{A}_BROKERS", "b-1.{a}.kafka.{zone}.amazonaws.com:9092,b-2.{a}.kafka.{zone}.amazonaws.com:9092"),
    ("{A}_REQUEST_TIMEOUT_MILLISECONDS", "{n}"),
    ("{A}_STORAGE_PATH", "/var/lib/{a}/{b}/{c}/data/current/segments"),
    ("{A}_AVAILABILITY_ZONE", "{zone}"),
    ("{A}_DESCRIPTION", "The {a} part of the {b} platform, owned by the {c} team and deployed every weekday"),
    ("{A}_QUEUE_URL", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/" + "{a}-{b}-{c}-work-queue"),
    ("{A}_RUNTIME_OPTIONS", "-XX:MaxRAMPercentage=75.0 -XX:+UseG1GC -Dservice.name={a} -Duser.timezone=UTC -Xss512k"),
    ("{A}_ALLOWED_ORIGINS", "https://{a}.example.com,https://{b}.example.com,https://{c}.example.org"),
)


@dataclass(frozen=True)
class Size:
    """How many containers a body has, and how many environment variables each of them."""

    containers: int
    variables: int

    @property
    def label(self) -> str:
        """The size as tables print it, such as `3 x 20`."""
        return f"{self.containers} x {self.variables}"


SIZES = (Size(1, 10), Size(3, 20), Size(10, 30), Size(10, 200))


def request_body(size: Size, *, leaky: bool, seed: int = SEED) -> bytes:
    """The body as a pipeline would send it: compact JSON in UTF-8."""
    return json.dumps(task_definition(size, leaky=leaky, seed=seed), separators=(",", ":")).encode()


def task_definition(size: Size, *, leaky: bool, seed: int = SEED) -> dict[str, object]:
    """The parameters of one `RegisterTaskDefinition` call; a leaky one differs from its clean twin by `_plant` only."""
    rng = random.Random(f"{seed}/{size.label}")
    containers = [_container(index, size.variables, rng) for index in range(size.containers)]
    if leaky:
        _plant(containers, random.Random(f"{seed}/{size.label}/leaks"))
    return {
        "family": "bench-storefront",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/bench-storefront-task",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/bench-storefront-execution",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "2048",
        "memory": "8192",
        "containerDefinitions": containers,
    }


def _container(index: int, variables: int, rng: random.Random) -> dict[str, object]:
    name = f"{_WORDS[index]}-app"
    return {
        "name": name,
        "image": f"{_IMAGE_REGISTRY}/{name}:4.{index}.17",
        "essential": index == 0,
        "command": ["serve", "--port=8080", "--workers", "4", f"--config=/etc/{name}/service.yaml"],
        "environment": [_variable(number, rng) for number in range(variables)],
        "secrets": [_reference(_WORDS[index], what) for what in ("DB_PASSWORD", "SESSION_SIGNING_KEY")],
        "dockerLabels": {"com.example.team": _WORDS[index], "com.example.tier": "backend"},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": f"/ecs/{name}", "awslogs-region": REGION, "awslogs-stream-prefix": "app"},
        },
    }


def _variable(number: int, rng: random.Random) -> dict[str, str]:
    name, value = _VARIABLES[number % len(_VARIABLES)]
    words = rng.sample(_WORDS, 3)
    blanks = dict(zip("abc", words, strict=True)) | dict(zip("ABC", (word.upper() for word in words), strict=True))
    blanks |= {"n": str(rng.randrange(10, 9000)), "zone": rng.choice(_ZONES), "flag": rng.choice(("true", "false"))}
    return {"name": f"{name.format(**blanks)}_{number}", "value": value.format(**blanks)}


def _reference(owner: str, what: str) -> dict[str, str]:
    """An entry of `secrets[]` with the full ARN of one JSON key, in the grammar that the ECS agent takes."""
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:prod/{owner}-a1B2c3:{what.lower()}::"
    return {"name": f"VAULTED_{what}", "valueFrom": arn}


def _plant(containers: list[dict[str, object]], rng: random.Random) -> None:
    """Put four secrets into variables and one into a command, spread over the containers."""
    for number, (name, value) in enumerate(_leaks(rng).items()):
        environment = containers[number % len(containers)]["environment"]
        assert isinstance(environment, list)
        environment[-1 - number // len(containers)] = {"name": name, "value": value}
    command = containers[-1]["command"]
    assert isinstance(command, list)
    command.append(f"--api-key={_text(rng, 32)}")


def _leaks(rng: random.Random) -> dict[str, str]:
    return {
        "DB_PASSWORD": _text(rng, 24),
        "RELEASE_BOT": _github_token(rng),
        "DATABASE_URL": f"postgresql://storefront:{_text(rng, 20)}@db.internal.example.com:5432/storefront",
        "AWS_ACCESS_KEY_ID": "AK" + "IA" + "".join(rng.choices(string.ascii_uppercase + "234567", k=16)),
    }


def _text(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(_BASE62, k=length))


def _github_token(rng: random.Random) -> str:
    """A token with GitHub's checksum (the last six characters: CRC32 in base 62), since scanners may check it.

    https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    """
    text = _text(rng, 30)
    number, checksum = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(_BASE62))
        checksum = _BASE62[digit] + checksum
    return "gh" + "p_" + text + checksum
