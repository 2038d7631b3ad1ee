"""Which command-line arguments are secrets by where they stand: `--token x`, `mysql -px`, `curl -u user:x`.

Works on a list of arguments, be it a container's `command` or the words of one shell string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_SEPARATORS = frozenset(
    {"&&", "||", "|", ";", "&", "then", "do", "exec", "sudo", "nohup", "time", "--", "CMD", "CMD-SHELL"}
)
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}=")
_LONG_FLAG = re.compile(r"-{1,2}[A-Za-z][A-Za-z0-9_.-]{1,80}")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]{0,8}(?=\S)")
_HEADER_FLAGS = frozenset({"-H", "--header", "--headers", "--http-header", "--add-header"})
_ORACLE_LOGIN = re.compile(r"[A-Za-z]\w{0,60}/(?=[^@\s/]{1,100}@)")

# Short flags, and long ones that are no secret by their name, whose next argument is a password.
_NEXT: Mapping[str, frozenset[str]] = {
    "7z": frozenset(),
    "bcp": frozenset({"-P"}),
    "cqlsh": frozenset({"-p"}),
    "influx": frozenset({"-p"}),
    "ldapadd": frozenset({"-w"}),
    "ldapmodify": frozenset({"-w"}),
    "ldapsearch": frozenset({"-w"}),
    "mariadb": frozenset({"-p"}),
    "mongo": frozenset({"-p"}),
    "mongodump": frozenset({"-p"}),
    "mongoexport": frozenset({"-p"}),
    "mongorestore": frozenset({"-p"}),
    "mongosh": frozenset({"-p"}),
    "mosquitto_pub": frozenset({"-P"}),
    "mosquitto_sub": frozenset({"-P"}),
    "mysql": frozenset({"-p"}),
    "mysqladmin": frozenset({"-p"}),
    "mysqldump": frozenset({"-p"}),
    "openssl": frozenset({"-k", "-K", "-passin", "-passout", "-pass"}),
    "plink": frozenset({"-pw"}),
    "pscp": frozenset({"-pw"}),
    "psexec": frozenset({"-p"}),
    "rabbitmqadmin": frozenset({"-p"}),
    "redis-benchmark": frozenset({"-a"}),
    "redis-cli": frozenset({"-a"}),
    "sqlcmd": frozenset({"-P"}),
    "sshpass": frozenset({"-p"}),
    "unzip": frozenset({"-P"}),
    "valkey-cli": frozenset({"-a"}),
    "winexe": frozenset({"-p"}),
    "zip": frozenset({"-P"}),
}

# Flags with the password right behind them, as in `-psecret`.
_ATTACHED: Mapping[str, str] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass", "mongo", "mongosh", "7z"), "-p"),
    **dict.fromkeys(("sqlcmd", "bcp", "zip", "unzip"), "-P"),
    **dict.fromkeys(("redis-cli", "valkey-cli"), "-a"),
}

_CURL_FLAGS = re.compile(r"-[A-Za-z]*u")

# Flags whose next argument is `user:password`.
_USER_AND_PASSWORD: Mapping[str, frozenset[str]] = {
    "curl": frozenset({"-u", "--user", "-U", "--proxy-user"}),
    "http": frozenset({"-a", "--auth"}),
    "https": frozenset({"-a", "--auth"}),
    "xh": frozenset({"-a", "--auth"}),
    "jfrog": frozenset({"-u"}),
    "wrk": frozenset(),
}
# Programs of many commands, whose `-p` is a password for one of them.
_LOGIN_COMMANDS = frozenset({"az", "docker", "helm", "nerdctl", "oc", "podman", "skopeo", "buildah"})
_LOGINS = frozenset({"sqlplus", "rman", "expdp", "impdp", "sqlldr"})
_PRINTERS = frozenset({"echo", "printf"})

_KNOWN_PROGRAMS = frozenset({*_NEXT, *_ATTACHED, *_USER_AND_PASSWORD, *_LOGINS, *_LOGIN_COMMANDS})

# `-p x` of a program nobody named: a password where it looks like one.
_UNKNOWN_PROGRAM_FLAGS = frozenset({"-p", "-pw", "--pw"})


# `--user name:x` of any program: a password where it looks like one, since `--user 1000:1000` is none.
_LOGIN_FLAGS = frozenset(
    {"-u", "--user", "--auth", "--login", "--creds", "--credentials", "--basic-auth", "--proxy-user", "--http-user"}
)
_LOGIN = re.compile(r"[A-Za-z][\w.@-]{0,80}:(?=\S{3})")


@dataclass(frozen=True, slots=True)
class NamedArgument:
    """The value that begins at character `start` of argument `index` goes by `name`."""

    index: int
    start: int
    name: str
    certain: bool = True


def named_arguments(arguments: Sequence[str]) -> Iterator[NamedArgument]:
    """What the arguments before it make of each argument. What an argument says of itself is not looked at here."""
    program: str | None = None
    at_start = True
    is_login = False
    for index, argument in enumerate(arguments):
        if argument in _SEPARATORS:
            program, at_start = None, True
            continue
        is_login = (is_login or argument == "login") and not at_start
        if at_start and not _ASSIGNED.match(argument):
            program = None if argument.startswith("-") else argument.rpartition("/")[2]
            at_start = False
        elif argument.rpartition("/")[2] in _KNOWN_PROGRAMS:  # behind `env X=1`, `timeout 5` and the like
            program = argument.rpartition("/")[2]
        yield from _attached(program, index, argument)
        if index + 1 < len(arguments):
            known = None if program in _LOGIN_COMMANDS and is_login else program
            yield from _next(known, argument, index + 1, arguments[index + 1])
    yield from _piped(arguments)


def _next(program: str | None, flag: str, index: int, value: str) -> Iterator[NamedArgument]:
    if not flag.startswith("-"):
        if program == "vault" and flag == "login" and not value.startswith("-"):
            yield NamedArgument(index, 0, "token")
        elif program in _LOGINS and (login := _ORACLE_LOGIN.match(value)):
            yield NamedArgument(index, login.end(), "password")
        return
    if flag in _HEADER_FLAGS and (header := _HEADER.match(value)):
        yield NamedArgument(index, header.end(), header.group(1))
    elif program is not None and _takes_login(program, flag) and ":" in value:
        yield NamedArgument(index, value.index(":") + 1, "password")
    elif program is not None and flag in _NEXT.get(program, ()):
        yield NamedArgument(index, 0, "password")
    elif flag in _LOGIN_FLAGS and (login := _LOGIN.match(value)):
        yield NamedArgument(index, login.end(), "password", certain=False)
    elif flag in _UNKNOWN_PROGRAM_FLAGS and program not in _LOGIN_COMMANDS and not value.startswith("-"):
        yield NamedArgument(index, 0, "password", certain=False)
    elif _LONG_FLAG.fullmatch(flag) and not value.startswith("--"):
        yield NamedArgument(index, 0, flag.lstrip("-"))


def _takes_login(program: str, flag: str) -> bool:
    return flag in _USER_AND_PASSWORD.get(program, ()) or (
        program == "curl" and _CURL_FLAGS.fullmatch(flag) is not None
    )


def _attached(program: str | None, index: int, argument: str) -> Iterator[NamedArgument]:
    flag = _ATTACHED.get(program or "")
    if flag and argument.startswith(flag) and len(argument) > len(flag):
        yield NamedArgument(index, len(flag), "password")


def _piped(arguments: Sequence[str]) -> Iterator[NamedArgument]:
    """`echo x | docker login --password-stdin`."""
    if not any(argument.endswith("-stdin") for argument in arguments):
        return
    for index, argument in enumerate(arguments[:-1]):
        if argument in _PRINTERS:
            value = index + 1 + arguments[index + 1].startswith("-")
            if value < len(arguments):
                yield NamedArgument(value, 0, "password")
