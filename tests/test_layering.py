"""Imports point one way, a vendor is known in one place, and nothing in the package is a stub.

Read with `ast`, so that imports inside functions count like all others; those for type checkers alone do not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SERVICE = Path(__file__).parent.parent / "service"
PACKAGE = SERVICE / "ecs_admission"

# From the top down: what stands in a group imports from groups below it, and from its own package.
GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "processes",
        frozenset(
            {"wsgi", "cli", "server", "companions", "connections", "gunicorn_arbiter", "gunicorn_worker", "exporter"}
        ),
    ),
    (
        "composition",
        frozenset(
            {
                "app",
                "advisory",
                "client",
                "activation",
                "survey",
                "journal",
                "credentials",
                "replay",
                "verification",
                "delivery",
                "fitness",
            }
        ),
    ),
    ("http", frozenset({"http", "web"})),
    ("pipeline", frozenset({"review", "revision", "tripwires", "policies", "exceptions", "overview", "scaffold"})),
    ("steps", frozenset({"adapt", "project", "enrich", "engines", "decide", "decision_log", "respond"})),
    (
        "facts",
        frozenset(
            {
                "remediate",
                "governance",
                "weakening",
                "catalogue",
                "aws",
                "settings",
                "configuration",
                "tls",
                "telemetry",
                "auth",
                "metrics",
                "metering",
                "tracing",
                "secret_files",
                "serials",
                "lock",
            }
        ),
    ),
    (
        "values",
        frozenset(
            {
                "model",
                "drain",
                "framing",
                "observation",
                "places",
                "private_files",
                "settings_sources",
                "metrics_folder",
            }
        ),
    ),
    ("errors", frozenset({"errors", ""})),
)

SIDEWAYS = {
    ("cli.serve", "server"): "the command runs the server",
    ("cli.metrics", "exporter"): "the command runs the exporter",
    ("cli.log_seal", "exporter"): "a sealer that runs by itself serves its own metrics",
    ("observation", "model"): "an event holds the values of the pipeline",
    ("metering", "metrics"): "what is counted is what the catalogue declares",
    ("server", "wsgi"): "gunicorn loads the application in each worker, and closes it there",
    ("server", "companions"): "it says which programs run beside it",
    ("server", "gunicorn_worker"): "and by workers that are made for the settings",
    ("gunicorn_worker", "connections"): "a worker reads connections",
    ("server", "gunicorn_arbiter"): "and is run by a master that looks after them",
    ("gunicorn_arbiter", "companions"): "the master looks after them",
    ("wsgi", "gunicorn_worker"): "the application is told which errors the worker raises for a broken body",
    ("review", "revision"): "a review is made by one revision",
    ("project.fields", "adapt.shapes"): "the tables of locations are compiled against the shapes that adapt reads with",
    ("remediate.explain", "catalogue"): "the words of a finding are the catalogue's",
    ("remediate.mend", "catalogue"): "how a finding is mended is the catalogue's",
    ("lock", "governance"): "actions are what a revision makes of each rule",
    ("weakening", "catalogue"): "revisions are compared rule by rule",
    ("weakening", "governance"): "and by what they make of each",
    ("tripwires", "review"): "a revision is tried with reviews",
    ("tripwires", "revision"): "a revision is what is tried",
    ("app", "activation"): "the composition root has policies activated",
    ("app", "journal"): "and has it recorded",
    ("tls", "settings"): "files of the settings",
    ("configuration", "settings"): "what is shown of the settings",
    ("app", "fitness"): "and has them tried",
    ("app", "delivery"): "and has the bundle of a URL followed",
    ("activation", "delivery"): "what judges may be a bundle that is followed",
    ("fitness", "activation"): "what is tried is what is active",
    ("journal", "fitness"): "and that it is not fit is recorded",
    ("client", "credentials"): "a client shows who it is",
    ("journal", "activation"): "what is recorded is what becomes active",
    ("engines.sources", "adapt.yaml12"): "one reader of YAML",
    ("engines.sources", "adapt.documents"): "and one of JSON",
    ("governance", "catalogue"): "actions are those of the catalogue's rules",
}

# The modules in which a package from outside may be imported: a module, or a package with all below it.
VENDORS = {
    "boto3": ("aws", "enrich", "decision_log.anchors_s3", "secret_files", "engines.remote.s3"),
    "botocore": ("aws", "enrich", "decision_log.anchors_s3", "secret_files", "engines.remote.s3"),
    "opa_client": ("engines",),
    "requests": ("engines",),
    "urllib3": ("engines",),
    "opapywasm": ("engines",),
    "wasmtime": ("engines",),
    "sqlalchemy": ("decision_log",),
    "psycopg": ("decision_log.postgresql",),
    "alembic": ("decision_log.migrate", "decision_log.migrations"),
    "cryptography": ("decision_log.keys", "tls"),
    "flask": ("http", "web", "app"),
    "werkzeug": ("http", "web"),
    "gunicorn": ("server", "gunicorn_arbiter", "gunicorn_worker", "connections"),
    "joserfc": ("auth", "engines.bundles"),
    "kingfisher_sdk": ("project",),
    "re2": ("project",),
    "opentelemetry": ("tracing",),
    "prometheus_client": ("metering", "exporter"),
    "click": ("cli",),
    "pydantic": ("settings",),
    "structlog": ("telemetry",),
    "yaml": ("adapt", "http", "engines", "cli"),
    "jsonpatch": ("cli",),
}
# `flask` in app is the type of what it hands on, and it is held to that below.
TYPE_ONLY = {("app", "flask"): {"Flask"}}
# Used where values are read or written, wherever that is.
EVERYWHERE = frozenset({"orjson"})


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of each module, by its name below the package (`project.fields`, "" for the package itself)."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        trees[".".join(parts)] = ast.parse(path.read_text(), str(path))
    return trees


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        yield from statements(node)


def targets(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    """What a statement imports, as pairs of a module and a name in it."""
    if isinstance(node, ast.Import):
        return [(alias.name, "") for alias in node.names]
    assert node.level == 0, "imports are absolute"
    return [(str(node.module), alias.name) for alias in node.names]


@cache
def own_imports() -> dict[str, frozenset[str]]:
    """For each module the modules of the package that it imports."""
    found: dict[str, set[str]] = {name: set() for name in modules()}
    for name, tree in modules().items():
        for node in statements(tree):
            for module, member in targets(node):
                if module != "ecs_admission" and not module.startswith("ecs_admission."):
                    continue
                below = module.removeprefix("ecs_admission").lstrip(".")
                inner = f"{below}.{member}".lstrip(".")
                found[name].add(inner if inner in modules() else below)
    return {name: frozenset(imported) for name, imported in found.items()}


def level(module: str) -> int:
    top = module.partition(".")[0]
    return next(number for number, (_, members) in enumerate(GROUPS) if top in members)


def pairs() -> Iterator[tuple[str, str]]:
    for name, imported in own_imports().items():
        for other in imported:
            if name.partition(".")[0] != other.partition(".")[0]:
                yield name, other


def test_every_module_has_its_level() -> None:
    known = frozenset().union(*(members for _, members in GROUPS))
    assert {name.partition(".")[0] for name in modules()} - known == set()


def test_imports_point_down() -> None:
    upward = [(name, other) for name, other in pairs() if level(other) < level(name)]
    assert upward == []


def test_imports_sideways_are_those_with_a_reason() -> None:
    sideways = {(name, other) for name, other in pairs() if level(other) == level(name) and other != ""}
    assert sideways - SIDEWAYS.keys() == set()
    assert SIDEWAYS.keys() - sideways == set(), "no longer needed"


def test_no_import_leads_back() -> None:
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != "open", " -> ".join((*trail, name))
        if name in state:
            return
        state[name] = "open"
        for other in sorted(own_imports()[name]):
            # A package and its own modules: `http` imports `http.factory`, which Python allows for.
            if other != name and not name.startswith(f"{other}."):
                visit(other, (*trail, name))
        state[name] = "done"

    for name in modules():
        visit(name, ())


def vendor_imports() -> Iterator[tuple[str, str, str]]:
    for name, tree in modules().items():
        for node in statements(tree):
            for module, member in targets(node):
                top = module.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "ecs_admission" and top not in EVERYWHERE:
                    yield name, top, member


def test_a_vendor_is_imported_in_one_place() -> None:
    elsewhere = [
        (name, vendor)
        for name, vendor, _ in vendor_imports()
        if not any(name == place or name.startswith(f"{place}.") for place in VENDORS.get(vendor, ()))
    ]
    assert elsewhere == []


def test_the_factory_knows_of_flask_only_the_type() -> None:
    for (name, vendor), members in TYPE_ONLY.items():
        assert {m for n, v, m in vendor_imports() if (n, v) == (name, vendor)} <= members


@pytest.mark.parametrize(
    "module",
    [
        "review",
        "decide",
        "remediate",
        "governance",
        "weakening",
        "exceptions",
        "overview",
        "catalogue",
        "model",
        "errors",
        "client",
    ],
)
def test_the_core_knows_no_vendor(module: str) -> None:
    assert [vendor for name, vendor, _ in vendor_imports() if name == module] == []


def test_the_pure_steps_know_no_clock_environment_or_file() -> None:
    impure = {"os", "time", "random", "secrets", "socket", "pathlib", "subprocess", "threading"}
    for name in (
        "decide",
        "remediate",
        "governance",
        "weakening",
        "exceptions",
        "overview",
        "catalogue",
        *(n for n in modules() if n.startswith("respond")),
    ):
        imported = {module.partition(".")[0] for node in statements(modules()[name]) for module, _ in targets(node)}
        assert imported & impure == set(), name


BROAD = {"Exception", "BaseException"}


def test_one_broad_except_turns_errors_into_decisions() -> None:
    broad = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = {ast.unparse(part) for part in ast.walk(node.type)} if node.type else BROAD
                if caught & BROAD:
                    broad.append(name)
    # A worker answers whatever its server raises of a request; a review makes a decision of what any step raises.
    assert sorted(broad) == ["gunicorn_worker", "review"]


def test_nothing_is_suppressed_wholesale() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
                assert {ast.unparse(argument) for argument in node.args} & BROAD == set(), name


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError", "NotImplemented"])
def test_nothing_is_left_to_do(word: str) -> None:
    found = [str(path) for path in sorted(SERVICE.rglob("*.py")) if word in path.read_text()]
    assert found == []


def is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return all(isinstance(node, ast.Pass) for node in body)


def test_only_protocols_and_quiet_overrides_have_no_body() -> None:
    stubs = set()
    for name, tree in modules().items():
        for owner in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
            bases = {ast.unparse(base) for base in owner.bases} if isinstance(owner, ast.ClassDef) else set()
            if "Protocol" in bases:
                continue
            for function in owner.body:
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and is_stub(function):
                    stubs.add(f"{name}.{getattr(owner, 'name', '')}.{function.name}".replace("..", "."))
    assert stubs == {
        # Their docstrings say why nothing is done; a command group does nothing but hold commands.
        "cli.bundle.command",
        "cli.log.command",
        "cli.log_retain.hold",
        "cli.log_source._Service.record",
        "cli.main",
        "cli.policies.command",
        "cli.tokens.command",
        "engines.embedded.EmbeddedEngine.probe",
        "exporter._Handler.log_message",
        "gunicorn_worker.QuietLogger.access",
        "gunicorn_worker.QuietLogger.debug",
        "observation.unobserved",
        "review.do_not_record",
        "review.permit_everything",
        "tripwires._Witness.close",
        "tripwires._Witness.probe",
    }
