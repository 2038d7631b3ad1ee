"""Where settings come from: a TOML file and the environment, which wins. What is not the name of a setting is refused.

pydantic-settings would do the reading too, for 0.1 s at every start of a command, without saying which of two sources a
value came from, and with unknown variables ignored: a setting that is misspelt must not be a setting left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

PREFIX = "ECS_ADMISSION_"
FILE = "config"
"""The setting that names the file, which no file can hold."""

CLIENT_VARIABLES = frozenset({"TOKEN", "ID_TOKEN", "AUDIENCE"})
"""Of the command line as a client, after the prefix: not settings, and not refused."""

DEFAULT = "default"

# What Kubernetes puts into every container beside a Service that is called ecs-admission or ecs-admission-anything.
_SERVICE_LINK = re.compile(
    r"(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POSITION = re.compile(r"\(at line [0-9]+, column [0-9]+\)|\(at end of document\)")


@dataclass(slots=True)
class Sources:
    """The values as they were written, where each comes from, and what is wrong with the sources themselves."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, name: str) -> str:
        """Where to change a setting, for somebody who has to."""
        origin = self.origins.get(name, DEFAULT)
        return variable(name) if origin in (DEFAULT, variable(name)) else f"{name} in {origin}"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name}".upper()


def read_sources(names: Collection[str], lists: Collection[str], environment: Mapping[str, str]) -> Sources:
    """Read what is set. `lists` are the settings that a file may also give as an array of strings."""
    sources = Sources()
    file = environment.get(variable(FILE))
    if file is not None:
        _read_file(sources, Path(file), names, lists)
    for name in names:
        if variable(name) in environment:
            sources.values[name] = environment[variable(name)]
            sources.origins[name] = variable(name)
    sources.problems += _unknown_variables(names, environment)
    return sources


def _read_file(sources: Sources, file: Path, names: Collection[str], lists: Collection[str]) -> None:
    where = variable(FILE)
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        sources.problems.append(f"{where}: the file cannot be read: {error.strerror}")
        return
    except UnicodeDecodeError:
        sources.problems.append(f"{where}: the file is not UTF-8")
        return
    except tomllib.TOMLDecodeError as error:
        # The rest of the message can quote the file.
        position = _POSITION.search(str(error))
        sources.problems.append(f"{where}: the file is not TOML {position[0] if position else ''}".rstrip())
        return
    for key, value in document.items():
        if key == FILE:
            sources.problems.append(f"{key} in {file}: a file cannot name another")
        elif key not in names:
            sources.problems.append(f"{_shown(key)} in {file}: there is no such setting{_nearest(key, names)}")
        elif isinstance(value, list) and key in lists:
            _join(sources, key, value, file)
        elif isinstance(value, str | int | float):
            sources.values[key] = value
            sources.origins[key] = str(file)
        else:
            sources.problems.append(f"{key} in {file}: must be a string, a number or a boolean")


def _join(sources: Sources, key: str, items: list[object], file: Path) -> None:
    texts = [item for item in items if isinstance(item, str) and "," not in item]
    if len(texts) != len(items):
        sources.problems.append(f"{key} in {file}: must be an array of strings without commas")
        return
    sources.values[key] = ",".join(texts)
    sources.origins[key] = str(file)


def _unknown_variables(names: Collection[str], environment: Mapping[str, str]) -> Iterator[str]:
    known = {name.upper() for name in names} | CLIENT_VARIABLES
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        word = name.removeprefix(PREFIX)
        if word not in known and not _SERVICE_LINK.fullmatch(word):
            yield f"{_shown(name)}: there is no such setting{_nearest(name, [PREFIX + each for each in known])}"


def _nearest(word: str, names: Collection[str]) -> str:
    found = get_close_matches(word, sorted(names), n=1)
    return f"; is {found[0]} meant?" if found else ""


def _shown(key: str) -> str:
    """A key as it can be repeated. A value that stands where a key should is not."""
    return key if _NAME.fullmatch(key) else "a key"
