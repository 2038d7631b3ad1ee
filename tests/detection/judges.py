"""Who may find something: the real pipeline, and three scanners that see the text of the same request."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kingfisher_sdk import DetectionPolicy, Rules, Scanner

from ecs_admission.adapt.operations import OPERATIONS
from ecs_admission.adapt.submission import read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import load_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.model import Decision, Outcome, UserInfo
from ecs_admission.project.detectors.kingfisher import KingfisherDetector, default_cache
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision, prepare
from tests.detection.cases import Case

DETECTORS = ("name", "native", "kingfisher")
Path_ = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the pipeline made of a case. `outcome` is that of the decision, or `not judged`."""

    outcome: str
    found: bool
    rules: tuple[str, ...]
    detectors: frozenset[str]
    detail: str = ""


class Pipeline:
    """The whole pipeline in process, keeping the PolicyInput that the record would keep."""

    def __init__(self, revision: Revision) -> None:
        self._bodies: list[bytes | None] = []
        self._reviewer = Reviewer(
            revision, inventory=NoInventory(), recorder=self._keep, on_error=_fail, clock=lambda: 1_790_000_000.0
        )

    def _keep(self, draft: EntryDraft) -> None:
        self._bodies.append(draft.body)

    def judge(self, case: Case) -> Verdict:
        """The verdict on a case, in production."""
        if case.operation not in OPERATIONS:
            return Verdict("not judged", False, (), frozenset())
        body = json.dumps(case.document, ensure_ascii=False).encode()
        decision = self._reviewer.review(
            lambda: read_operation(case.operation, body, [("environment", "prod")]),
            operation=case.operation,
            user=UserInfo("system:detection"),
            enforcement_point="check",
        ).decision
        expected = {_path(case.document, pointer) for pointer in case.pointers}
        found = any(_path(case.document, finding.pointer) in expected for finding in decision.denials)
        rules = tuple(sorted({finding.rule for finding in decision.denials}))
        return Verdict(decision.outcome.value, found, rules, self._observed(case, expected), _detail(decision))

    def _observed(self, case: Case, expected: set[Path_]) -> frozenset[str]:
        kept = self._bodies.pop()
        if kept is None:
            return frozenset()
        literals = json.loads(kept)["literals"]
        return frozenset(
            signal["detector"]
            for literal in literals
            if _path(case.document, literal["pointer"]) in expected or not expected
            for signal in literal["signals"]
        )


def shipped_revision() -> Revision:
    """The revision that ships, with the detectors of the service."""
    pack = load_pack()
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=30.0)
    return prepare(pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=0)


def _fail(error: Exception) -> None:
    raise error


def _detail(decision: Decision) -> str:
    return f"{decision.error_code}" if decision.outcome not in (Outcome.ALLOWED, Outcome.DENIED) else ""


def _path(document: Any, pointer: str) -> Path_:
    """A pointer by positions, since a name that may not be shown is written as its position, such as `<4>`."""
    path: list[int] = []
    for token in pointer.split("/")[1:]:
        if isinstance(document, dict):
            keys = list(document)
            name = token.replace("~1", "/").replace("~0", "~")
            match = re.fullmatch(r"<(\d+)>", token)
            position = keys.index(name) if name in document else int(match.group(1)) if match else -1
            document = document[keys[position]] if 0 <= position < len(keys) else None
        elif isinstance(document, list):
            position = int(token) if token.isdigit() else -1
            document = document[position] if 0 <= position < len(document) else None
        else:
            position, document = -1, None
        path.append(position)
    return tuple(path)


def text_of(case: Case) -> str:
    """The request as it stands in a file of a repository."""
    return json.dumps(case.document, ensure_ascii=False, indent=2)


class KingfisherAlone:
    """Kingfisher on the text of the request."""

    name = "kingfisher"

    def __init__(self) -> None:
        policy = DetectionPolicy(inline_ignores=False, ignore_comments=(), markup_context=False)
        self._scanner = Scanner(Rules(confidence="medium", cache_dir=default_cache()), redact=True, policy=policy)

    def flagged(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether anything was found."""
        return [any(finding.visible for finding in self._scanner.scan(text.encode())) for text in texts]


class TextScan:
    """Regular expressions as gitleaks uses them: token formats, and a keyword beside a value of some entropy."""

    name = "text scan"

    def flagged(self, texts: Sequence[str]) -> list[bool]:
        """See `KingfisherAlone`."""
        return [any(p.search(text) for p in _FORMATS) or any(map(_is_random, _GENERIC.findall(text))) for text in texts]


_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        r"gh[pousr]_[0-9a-zA-Z]{36}",
        r"github_pat_\w{82}",
        r"gl(?:pat|dt|rt|ptt|cbt)-[0-9a-zA-Z_-]{20}",
        r"npm_[a-zA-Z0-9]{36}",
        r"-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----",
        r"\bey[a-zA-Z0-9]{17,}\.ey[a-zA-Z0-9/_-]{17,}\.[a-zA-Z0-9/_-]{10,}",
        r"\b[rs]k_(?:test|live|prod)_[a-zA-Z0-9]{10,99}",
        r"xox[bpears]-[0-9]{10,13}-[0-9]{10,13}[a-zA-Z0-9-]*",
        r"xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+",
        r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9+/]{43,56}",
        r"\bSK[0-9a-fA-F]{32}\b",
        r"\bSG\.[a-zA-Z0-9=_.-]{66}",
        r"\bkey-[a-f0-9]{32}\b",
        r"\b[0-9a-f]{32}-us\d{1,2}\b",
        r"\bNRAK-[A-Z0-9]{27}\b",
        r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{58,74}T3BlbkFJ",
        r"\bsk-ant-api03-[a-zA-Z0-9_-]{93}AA\b",
        r"\bAIza[\w-]{35}\b",
        r"\bGOCSPX-[a-zA-Z0-9_-]{28}",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        r"\b\d{5,16}:A[a-zA-Z0-9_-]{34}\b",
        r"\bhvs\.[\w-]{90,120}",
        r"[a-zA-Z0-9]{14}\.atlasv1\.[a-zA-Z0-9_=-]{60,70}",
        r"pypi-AgEIcHlwaS5vcmc[\w-]{50,}",
        r"\bdo[opr]_v1_[a-f0-9]{64}\b",
        r"\bsq0csp-[\w=-]{22,60}",
        r"\bpscale_(?:pw|tkn|oauth)_[\w=.-]{32,64}",
        r"\blin_api_[a-zA-Z0-9]{40}",
        r"\bpat[a-zA-Z0-9]{14}\.[a-f0-9]{64}\b",
        r"\bhf_[a-zA-Z]{34}\b",
        r"\bdapi[a-f0-9]{32}\b",
        r"\bglsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
        r"\bdp\.pt\.[a-zA-Z0-9]{43}",
        r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}",
        r"\brubygems_[a-f0-9]{48}",
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        r"dt0c01\.[A-Z2-7]{24}\.[A-Z2-7]{64}",
        r"\bpul-[a-f0-9]{40}\b",
        r"\bATATT3[A-Za-z0-9_=-]{186}",
        r"\b[a-zA-Z0-9_~.]{3}\dQ~[a-zA-Z0-9_~.-]{31,34}",
        r"[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,60}:[^\s/:@\"']{3,60}@",
        r"(?i)-(?:u|-user)[ =]['\"]?[\w.-]{1,40}:[^\s'\"]{3,60}",
        r"(?i)authorization[:=] ?['\"]?(?:basic|bearer|token) +[\w=~@.+/-]{16,}",
    )
)
_GENERIC = re.compile(
    r"(?i)[\w.-]{0,50}(?:access|auth|api|credential|creds|key|passw(?:or)?d|secret|token)[\w.-]{0,20}"
    r"[\s'\"]{0,3}(?:=|:|,\s*\"value\":)[\s'\"=]{0,5}([\w.=-]{10,150})(?:[\s'\";]|$)"
)


def _is_random(value: str) -> bool:
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 3.5 and any(character.isdigit() for character in value)


class DetectSecrets:
    """Yelp's detect-secrets with its default plugins, in a process of its own, where an interpreter has it."""

    name = "detect-secrets"

    def __init__(self, python: str, *, entropy: bool = True) -> None:
        self._python = python
        self._entropy = entropy
        if not entropy:
            self.name = "detect-secrets without entropy"

    def flagged(self, texts: Sequence[str]) -> list[bool]:
        """See `KingfisherAlone`. Raises CalledProcessError when the program fails."""
        script = str(Path(__file__).with_name("detect_secrets_scan.py"))
        answer = subprocess.run(
            [self._python, script, "all" if self._entropy else "no-entropy"],
            input=json.dumps(list(texts)),
            capture_output=True,
            check=True,
            text=True,
        )
        flagged: list[bool] = json.loads(answer.stdout)
        return flagged


def detect_secrets_python() -> str | None:
    """The interpreter that has detect-secrets: `DETECT_SECRETS_PYTHON`, or this one."""
    given = os.environ.get("DETECT_SECRETS_PYTHON")
    return given or (sys.executable if find_spec("detect_secrets") else None)


def scanners() -> Mapping[str, KingfisherAlone | TextScan | DetectSecrets]:
    """Those that can be run here."""
    found: list[KingfisherAlone | TextScan | DetectSecrets] = [KingfisherAlone(), TextScan()]
    if python := detect_secrets_python():
        found += [DetectSecrets(python), DetectSecrets(python, entropy=False)]
    return {scanner.name: scanner for scanner in found}
