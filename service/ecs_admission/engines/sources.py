"""The sources of a revision: Rego files and data, from a folder or a bundle, and several of them laid over each other.

A file of data says something about the part of OPA's base document that its folder names: `config/words/data.yaml`
about `data.config.words`. Where each part came from is kept, so that a mistake is reported with its file and line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from ecs_admission.adapt.documents import read_document
from ecs_admission.adapt.yaml12 import read_yaml
from ecs_admission.engines.archives import read_archive
from ecs_admission.engines.folders import read_file, walk
from ecs_admission.engines.packages import check_packages
from ecs_admission.errors import InputError, PolicyError
from ecs_admission.model import JSONObject

MADE = ("catalogue", "revision")
"""Data that the build makes and no source may hold."""

REGO_ONLY = "admission"
"""Where rules are, and data would stand in their place."""

REMOVALS = "removals"
"""Data that says what to take out of what lies below: lists of the same place, and the items that go."""

RULES = ("admission", "rules")
CAPABILITIES = "capabilities.json"
_DATA_FILES = ("data.yaml", "data.yml", "data.json")

DataPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that a part of the data came from, and where in it."""

    file: str
    path: DataPath
    text: str = field(repr=False)

    @property
    def line(self) -> int | None:
        """The line on which the part begins; None where the file is no YAML."""
        return _line(self.text, self.path) if self.file.endswith((".yaml", ".yml")) else None


@dataclass(frozen=True, slots=True)
class Sources:
    """Rego by path, the data, and where each part of the data came from."""

    rego: Mapping[str, bytes] = field(repr=False)
    data: JSONObject = field(repr=False)
    origins: Mapping[DataPath, Origin] = field(repr=False)
    capabilities: bytes | None = field(default=None, repr=False)

    @property
    def digest(self) -> str:
        """A hash of everything that can change a verdict."""
        digest = hashlib.sha256()
        for name, content in sorted(self.rego.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        digest.update(orjson.dumps(self.data, option=orjson.OPT_SORT_KEYS))
        digest.update(hashlib.sha256(self.capabilities or b"").digest())
        return f"sha256:{digest.hexdigest()}"

    def locate(self, error: PolicyError) -> PolicyError:
        """An error with the file and the line of the data that it is about, where these are known."""
        if error.at is None:
            return error
        known = (self.origins[error.at[:n]] for n in range(len(error.at), 0, -1) if error.at[:n] in self.origins)
        origin = next(known, None)
        if origin is None:
            return error
        place = origin.file if origin.line is None else f"{origin.file}:{origin.line}"
        return PolicyError(f"{place}: {error.reason_text}")


def read_sources(place: Path) -> Sources:
    """The sources in a folder, or in a bundle that OPA built. Raises `PolicyError` with file and line.

    A place without a rule and without data is a mistake, such as a folder that was not mounted.
    """
    files = sorted(_folder_files(place) if place.is_dir() else read_archive(place).items())
    sources = _assemble(files, str(place))
    if not sources.rego and not sources.origins:
        raise PolicyError(f"{place}: holds no rule and no data")
    return sources


def lay_over(layers: Sequence[Sources]) -> Sources:
    """Sources over each other, the first at the bottom: later ones add rules, words and exceptions, change what has one
    value, and take out what they list under `removals`. Raises `PolicyError` where two have Rego of the same package.
    """
    return reduce(_lay, layers)


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in walk(folder):
        name = path.relative_to(folder).as_posix()
        if _is_rego(path.name) or path.name in _DATA_FILES or name == CAPABILITIES:
            yield name, read_file(path)


def _is_rego(file: str) -> bool:
    return file.endswith(".rego") and not file.endswith("_test.rego")


def _assemble(files: Iterable[tuple[str, bytes]], where: str) -> Sources:
    """Sort files into Rego and data: tests, examples and notes are no part of a revision."""
    rego: dict[str, bytes] = {}
    data: JSONObject = {}
    origins: dict[DataPath, Origin] = {}
    capabilities = None
    for name, content in files:
        folder, _, file = name.rpartition("/")
        if not name.isprintable():
            raise PolicyError(f"{where}: a file's name has characters that cannot be shown")
        if _is_rego(file):
            rego[name] = content
        elif file in _DATA_FILES:
            path: DataPath = tuple(folder.split("/")) if folder else ()
            if path and path[0] in MADE:
                raise PolicyError(f"{where}/{name}: the build makes {' and '.join(MADE)}; your data needs another name")
            value, text = _parse(content, f"{where}/{name}")
            _put(data, path, value, f"{where}/{name}")
            origins |= dict(_origins(value, path, (), f"{where}/{name}", text))
        elif name == CAPABILITIES:
            capabilities = content
    for made in MADE:
        data.pop(made, None)
    return Sources(rego, data, origins, capabilities)


def _parse(content: bytes, file: str) -> tuple[Any, str]:
    try:
        text = content.decode()
        return (read_document(content) if file.endswith(".json") else read_yaml(text)), text
    except UnicodeDecodeError:
        problem = PolicyError(f"{file}: is not UTF-8")
    except InputError as error:
        # A file of comments alone is no mistake: it is where data can be put.
        if error.code == "empty":
            return {}, content.decode()
        problem = PolicyError(f"{file}: {error}")
    raise problem


def _put(data: JSONObject, path: DataPath, value: Any, file: str) -> None:
    """Put a file's value in its place of the base document. Raises where another file says something else of it."""
    for key in reversed(path):
        value = {str(key): {} if value is None else value}
    if not isinstance(value, dict):
        raise PolicyError(f"{file}: expected a mapping")
    if REGO_ONLY in value:
        raise PolicyError(f"{file}: {REGO_ONLY} is where rules are; your data needs another name")
    _join(data, value, file)


def _join(data: JSONObject, value: JSONObject, file: str) -> None:
    for key, inner in value.items():
        if key not in data:
            data[key] = inner
        elif isinstance(data[key], dict) and isinstance(inner, dict):
            _join(data[key], inner, file)
        else:
            raise PolicyError(f"{file}: another file says what {key} is")


def _origins(value: Any, path: DataPath, inside: DataPath, file: str, text: str) -> Iterator[tuple[DataPath, Origin]]:
    yield path, Origin(file, inside, text)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _origins(inner, (*path, key), (*inside, key), file, text)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _origins(inner, (*path, index), (*inside, index), file, text)


def _lay(below: Sources, above: Sources) -> Sources:
    twice = sorted(below.rego.keys() & above.rego.keys())
    if twice:
        raise PolicyError(f"{twice[0]} is there already: give a rule of your own an id of its own")
    if above.capabilities is not None and above.capabilities != below.capabilities:
        raise PolicyError(f"{CAPABILITIES}: what policies may call is not for a layer to say")
    check_packages(below.rego, above.rego, data={*MADE, *below.data, *above.data})
    data, origins = dict(above.data), dict(above.origins)
    removed = data.pop(REMOVALS, {})
    kept = _without(below.data, removed, (), above)
    merged = _merge(_Part(kept, below.origins, ()), _Part(data, origins, ()))
    found = dict(merged.origins)
    return Sources({**below.rego, **above.rego}, merged.value, found, below.capabilities)


@dataclass(frozen=True, slots=True)
class _Part:
    """A value with the origins of it and of what is below it; `path` is where it stands in those."""

    value: Any
    origins: Mapping[DataPath, Origin]
    path: DataPath


def _merge(below: _Part, above: _Part, path: DataPath = ()) -> _Part:
    """Mappings are merged by key, lists get the other's new items, and any other value is replaced."""
    origins: dict[DataPath, Origin] = {}
    value: Any
    if isinstance(below.value, dict) and isinstance(above.value, dict):
        value = {}
        for key in [*below.value, *(key for key in above.value if key not in below.value)]:
            parts = [_Part(p.value[key], p.origins, (*p.path, key)) for p in (below, above) if key in p.value]
            inner = _merge(parts[0], parts[1], (*path, key)) if len(parts) > 1 else _moved(parts[0], (*path, key))
            value[key] = inner.value
            origins |= inner.origins
    elif isinstance(below.value, list) and isinstance(above.value, list):
        items = [_Part(item, below.origins, (*below.path, i)) for i, item in enumerate(below.value)]
        new = [(i, item) for i, item in enumerate(above.value) if item not in below.value]
        items += [_Part(item, above.origins, (*above.path, i)) for i, item in new]
        moved = [_moved(item, (*path, index)) for index, item in enumerate(items)]
        value = [item.value for item in moved]
        for item in moved:
            origins |= item.origins
    else:
        return _moved(above, path)
    own = above.origins.get(above.path) or below.origins.get(below.path)
    if own is not None:
        origins[path] = own
    return _Part(value, origins, path)


def _moved(part: _Part, path: DataPath) -> _Part:
    """A part at another place, with its origins."""
    depth = len(part.path)

    def below(value: Any, at: DataPath) -> Iterator[tuple[DataPath, Origin]]:
        origin = part.origins.get(at)
        if origin is not None:
            yield (*path, *at[depth:]), origin
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            yield from below(inner, (*at, key))

    return _Part(part.value, dict(below(part.value, part.path)), path)


def _without(value: Any, removed: Any, path: DataPath, layer: Sources) -> Any:
    """A value without the items that `removed` lists at the same place."""
    at = (REMOVALS, *path)
    if isinstance(value, dict) and isinstance(removed, dict):
        unknown = sorted(removed.keys() - value.keys())
        if unknown:
            raise layer.locate(PolicyError(f"{unknown[0]} is not there to be removed", at=(*at, unknown[0])))
        return {
            key: _without(inner, removed[key], (*path, key), layer) if key in removed else inner
            for key, inner in value.items()
        }
    if isinstance(value, list) and isinstance(removed, list):
        for index, item in enumerate(removed):
            if item not in value:
                raise layer.locate(PolicyError("an item is not there to be removed", at=(*at, index)))
        return [item for item in value if item not in removed]
    raise layer.locate(PolicyError("only items of lists can be removed", at=at))


def _line(text: str, path: DataPath) -> int | None:
    """The line of a YAML text on which the part at `path` begins."""
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None  # another YAML than the one that was read; the file is still named
    line: int | None = None if node is None else node.start_mark.line + 1
    for key in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(key)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line
