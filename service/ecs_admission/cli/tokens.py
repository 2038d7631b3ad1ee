"""`ecs-admission tokens`: make, list and revoke API tokens. For an operator at a terminal beside the data."""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.auth.tokens import MAX_DAYS, NAME, TokenRecord, load_or_create_pepper, make_token
from ecs_admission.cli import fail
from ecs_admission.cli.recording import recorded
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.model import JSONObject, new_decision_id
from ecs_admission.settings import Settings, read_settings

if TYPE_CHECKING:
    from ecs_admission.decision_log.token_store import StoredToken

_DAYS = re.compile(r"([1-9][0-9]{0,2})d")
_DAY_US = 86_400 * 1_000_000
_TABLE = "{:36}  {:20}  {:9}  {:10}  {}"


@click.group(name="tokens")
def command() -> None:
    """Make, list and revoke the API tokens of callers, in the database that the ECS_ADMISSION_* settings name.

    Each token that is made or revoked is an entry of the decision log.
    """


@command.command()
@click.argument("name")
@click.option(
    "--role", "roles", type=click.Choice([*map(str, Role)]), multiple=True, required=True, help="Once for each role."
)
@click.option("--account", "accounts", multiple=True, help="Cover this AWS account alone; once for each.")
@click.option("--environment", "environments", multiple=True, help="Cover this environment alone; once for each.")
@click.option("--region", "regions", multiple=True, help="Cover this AWS Region alone; once for each.")
@click.option("--family", "families", multiple=True, help="Cover this family alone, `team-*` for all of a team's.")
@click.option("--expires-in", default="90d", show_default=True, help=f"Days from now, at most {MAX_DAYS}d.")
def create(name: str, roles: tuple[str, ...], expires_in: str, **limits: tuple[str, ...]) -> None:
    """Make a token and print it, once: nobody can read it again. NAME is who the log says it was."""
    from ecs_admission.app import prepare_data_dir

    try:
        settings = read_settings()
        prepare_data_dir(settings)
        pepper = load_or_create_pepper(settings.pepper_file)
        token, now = make_token(), time.time_ns() // 1000
        record = TokenRecord(
            id=new_decision_id(),
            name=_name(name),
            digest=pepper.digest(token),
            created=now,
            expires=now + _days(expires_in) * _DAY_US,
            grant=Grant(
                frozenset(map(Role, roles)), Scope.read({part: list(texts) for part, texts in limits.items() if texts})
            ),
        )
        with recorded(settings) as write:
            # The record first: a token that the log does not know of must not be one that works.
            write("token_create", _details(record))
            _writer(settings).add(record, pepper)
    except AdmissionError as error:
        fail(error)
        return
    click.echo(token)
    click.echo(f"id {record.id}, expires {_day(record.expires)}; it is not shown again", err=True)


@command.command(name="list")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_tokens(output: str) -> None:
    """List the tokens there are, the oldest first. No token itself is kept anywhere."""
    try:
        tokens = _all(read_settings())
    except AdmissionError as error:
        fail(error)
        return
    if output == "json":
        items = [_details(token.record) | {"state": _state(token), "revoked": token.revoked} for token in tokens]
        click.echo(orjson.dumps({"items": items, "next": None}, option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(_TABLE.format("ID", "NAME", "STATE", "EXPIRES", "MAY"))
    for token in tokens:
        record = token.record
        covers = " ".join(f"{part}={','.join(texts)}" for part, texts in record.grant.scope.document().items())
        may = f"{','.join(sorted(record.grant.roles))} {covers}".strip()
        click.echo(_TABLE.format(record.id, record.name, _state(token), _day(record.expires), may))


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def revoke(ids: tuple[str, ...]) -> None:
    """Accept the tokens with these ids no longer, from the next request on."""
    try:
        settings = read_settings()
        known = {token.record.id: token.record for token in _all(settings)}
        unknown = [token_id for token_id in ids if token_id not in known]
        if unknown:
            raise SettingsError("there is no token with that id; `ecs-admission tokens list` shows those there are")
        with recorded(settings) as write:
            for token_id in ids:
                # The revocation first: that it is in the log is of no use while the token still works. Said again
                # of one that was revoked before, where the record may have failed then.
                is_new = _writer(settings).revoke(token_id, time_us=time.time_ns() // 1000)
                write("token_revoke", {"token": token_id, "name": known[token_id].name})
                click.echo(f"{token_id} {'revoked' if is_new else 'was revoked before'}")
    except AdmissionError as error:
        fail(error)


def _all(settings: Settings) -> list[StoredToken]:
    from ecs_admission.decision_log.queries import LogReader
    from ecs_admission.decision_log.token_store import TokenReader

    with closing(LogReader.open(settings.log_read_url, timeout_seconds=settings.record_deadline_seconds)) as reader:
        return TokenReader(reader.connect, load_or_create_pepper(settings.pepper_file)).all()


def _writer(settings: Settings) -> Any:
    from ecs_admission.decision_log.token_store import TokenWriter

    return TokenWriter(settings.log_url, timeout_seconds=settings.record_deadline_seconds)


def _details(record: TokenRecord) -> JSONObject:
    return {
        "token": record.id,
        "name": record.name,
        "roles": [role.value for role in sorted(record.grant.roles)],
        "covers": [f"{part}={text}" for part, texts in record.grant.scope.document().items() for text in texts],
        "expires": record.expires // 1_000_000,
    }


def _state(token: StoredToken) -> str:
    if token.revoked is not None:
        return "revoked"
    return "expired" if token.record.expires <= time.time_ns() // 1000 else "live"


def _name(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise SettingsError(
            "NAME must be 1 to 63 of a-z, 0-9, dot, underscore and hyphen, and begin with one of the first"
        )
    return name


def _days(text: str) -> int:
    match = _DAYS.fullmatch(text)
    if match is None or int(match[1]) > MAX_DAYS:
        raise SettingsError(f"--expires-in must be 1d to {MAX_DAYS}d")
    return int(match[1])


def _day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).date().isoformat()
