"""Documents that two readers could take for two different ones, contexts that are none, and what a review repeats."""

from __future__ import annotations

import base64
import json

from tests.bypass.hiding import Secrets, Submission, Ways, environment, review, submission, task

_HEAD = "family: orders\ncontainerDefinitions:\n- name: app\n  image: nginx\n"
_SECOND = "  environment:\n  - name: DB_PASSWORD\n    value: "


def _json(s: Secrets) -> str:
    return json.dumps(environment(("DB_PASSWORD", s.password())))


def _clean() -> str:
    return json.dumps(task())


def _with(parameters: tuple[tuple[str, str], ...], document: object) -> Submission:
    return Submission(json.dumps(document).encode(), parameters)


def _deep(s: Secrets, depth: int) -> dict[str, object]:
    inner: object = {"password": s.password()}
    for _ in range(depth):
        inner = [inner]
    return {**task(), "x": inner}


WAYS: Ways = {
    "JSON: a key twice, the secret first": lambda s: (
        _clean()[:-1] + ',"tags":[{"key":"password","value":"' + s.password() + '"}],"tags":[]}'
    ),
    "JSON: a key twice, the secret last": lambda s: '{"containerDefinitions":[],' + _json(s)[1:],
    "JSON: a key twice in an entry": lambda s: _json(s).replace('"value": "', '"value": "x", "value": "', 1),
    "JSON: a key twice, one escaped": lambda s: _json(s).replace('"value": "', '"v\\u0061lue": "x", "value": "', 1),
    "JSON: a name in escapes": lambda s: _json(s).replace("DB_PASSWORD", "\\u0044B_\\u0050ASSWORD"),
    "JSON: all names in escapes": lambda s: (
        _json(s).replace("environment", "\\u0065nvironment").replace("value", "v\\u0061lue")
    ),
    "JSON: a value in escapes": lambda s: environment_escaped(s),
    "JSON: half a surrogate pair": lambda s: _json(s).replace("DB_PASSWORD", "DB_PASSWORD\\ud800"),
    "JSON: a byte order mark": lambda s: b"\xef\xbb\xbf" + _json(s).encode(),
    "JSON: two byte order marks": lambda s: b"\xef\xbb\xbf\xef\xbb\xbf" + _json(s).encode(),
    "JSON: UTF-16": lambda s: _json(s).encode("utf-16"),
    "JSON: UTF-16 without a mark": lambda s: _json(s).encode("utf-16-le"),
    "JSON: UTF-32": lambda s: _json(s).encode("utf-32"),
    "JSON: Latin-1": lambda s: _json(s).replace("DB_PASSWORD", "\u00fcDB_PASSWORD").encode("latin-1"),
    "JSON: overlong UTF-8": lambda s: _json(s).encode().replace(b"DB_PASSWORD", b"DB_\xc1\x90ASSWORD"),
    "JSON: UTF-7": lambda s: b"+AHs-" + _json(s)[1:].encode(),
    "JSON: a NUL behind": lambda s: _clean().encode() + b"\0" + _json(s).encode(),
    "JSON: a form feed in front": lambda s: "\f" + _json(s),
    "JSON: a no-break space in front": lambda s: "\u00a0" + _json(s),
    "JSON: two documents": lambda s: _clean() + _json(s),
    "JSON: two documents on lines": lambda s: _clean() + "\n" + _json(s),
    "JSON: something behind": lambda s: _clean() + " x" + s.token(),
    "JSON: a comment": lambda s: "/* " + s.token() + " */" + _clean(),
    "JSON: a comment within": lambda s: _clean()[:-1] + ", // " + s.token() + "\n}",
    "JSON: a comma at the end": lambda s: _json(s)[:-1] + ",}",
    "JSON: NaN": lambda s: _json(s)[:-1] + ', "x": NaN}',
    "JSON: Infinity": lambda s: _json(s)[:-1] + ', "x": -Infinity}',
    "JSON: a big number": lambda s: _clean()[:-1] + ', "x": ' + s.keep("8402915537" * 4) + "}",
    "JSON: a huge exponent": lambda s: _clean()[:-1] + ', "x": 1e999, "y": "' + s.token() + '"}',
    "JSON: a number under an unknown name": lambda s: _clean()[:-1] + ', "dbPassword": ' + s.keep("84029155") + "}",
    "JSON: a list around": lambda s: "[" + _json(s) + "]",
    "JSON: a string around": lambda s: json.dumps(_json(s)),
    "JSON: base64 around": lambda s: s.encoded(_json(s)),
    "JSON: quotes of JavaScript": lambda s: _json(s).replace('"', "'"),
    "JSON: nested 65 deep": lambda s: _deep(s, 65),
    "JSON: nested 61 deep": lambda s: _deep(s, 61),
    "JSON: nested 50 deep": lambda s: _deep(s, 50),
    "JSON: nested 100,000 deep": lambda s: "[" * 100_000 + json.dumps(s.token()),
    "JSON: too large": lambda s: {**environment(("DB_PASSWORD", s.password())), "x": "a" * 1_100_000},
    "JSON: a prefix against hijacking": lambda s: ")]}',\n" + _json(s),
    "JSON: a form": lambda s: "body=" + _json(s),
    "JSON: null for the containers": lambda s: {
        "family": "a",
        "containerDefinitions": None,
        "x": {"password": s.password()},
    },
    "YAML: plain": lambda s: _HEAD + _SECOND + s.password(),
    "YAML: an anchor": lambda s: _HEAD + _SECOND + f"&a {s.password()}",
    "YAML: an alias": lambda s: f"x: &a {s.password()}\n" + _HEAD + _SECOND + "*a",
    "YAML: a merge key": lambda s: (
        f"x: &a\n  value: {s.password()}\n" + _HEAD + "  environment:\n  - name: DB_PASSWORD\n    <<: *a"
    ),
    "YAML: a merge key of its own": lambda s: (
        _HEAD + "  environment:\n  - name: DB_PASSWORD\n    <<: {value: " + s.password() + "}"
    ),
    "YAML: a tag": lambda s: _HEAD + _SECOND + f"!!str {s.password()}",
    "YAML: a tag of its own": lambda s: _HEAD + _SECOND + f"!secret {s.password()}",
    "YAML: a tag that CloudFormation knows": lambda s: _HEAD + _SECOND + f"!Sub '{s.password()}'",
    "YAML: a tag that runs code": lambda s: _HEAD + _SECOND + f"!!python/object/apply:os.getenv ['{s.token()}']",
    "YAML: binary": lambda s: _HEAD + _SECOND + "!!binary " + s.encoded(s.token()),
    "YAML: a key twice": lambda s: _HEAD + _SECOND + f"{s.password()}\n    value: x",
    "YAML: a key twice, one in quotes": lambda s: _HEAD + _SECOND + f"{s.password()}\n    'value': x",
    "YAML: a key twice, one in escapes": lambda s: _HEAD + _SECOND + f'{s.password()}\n    "\\x76alue": x',
    "YAML: a name in escapes": lambda s: (
        _HEAD + f'  environment:\n  - name: "DB_\\x50ASSWORD"\n    value: {s.password()}'
    ),
    "YAML: two documents": lambda s: _HEAD + "---\n" + _HEAD + _SECOND + s.password(),
    "YAML: the end of a document": lambda s: _HEAD + "...\n" + _SECOND + s.password(),
    "YAML: a version": lambda s: "%YAML 1.1\n---\n" + _HEAD + _SECOND + s.password(),
    "YAML: a directive for tags": lambda s: "%TAG ! tag:example.com,2024:\n---\n" + _HEAD + _SECOND + s.password(),
    "YAML: flow": lambda s: (
        "family: orders\ncontainerDefinitions: [{name: app, image: nginx, environment: [{name: DB_PASSWORD, value: "
        + s.password()
        + "}]}]"
    ),
    "YAML: JSON within": lambda s: (
        "family: orders\ncontainerDefinitions: " + json.dumps(json.loads(_json(s))["containerDefinitions"])
    ),
    "YAML: flow that begins like JSON": lambda s: (
        "{family: orders, containerDefinitions: [{name: app, image: nginx, environment: [{name: DB_PASSWORD, value: "
        + s.password()
        + "}]}]}"
    ),
    "YAML: a comment before JSON": lambda s: "# x\n" + _json(s),
    "YAML: three hyphens before JSON": lambda s: "--- " + _json(s),
    "YAML: a literal block": lambda s: _HEAD + _SECOND + f"|-\n      {s.password()}\n",
    "YAML: a folded block": lambda s: _HEAD + _SECOND + f">-\n      user=a\n      password={s.password()}\n",
    "YAML: a folded token": lambda s: (
        _HEAD + f"  environment:\n  - name: BUILD\n    value: >-\n      x\n      {s.token()}\n"
    ),
    "YAML: a block that keeps lines": lambda s: _HEAD + _SECOND + f"|+\n\n\n      {s.password()}\n\n",
    "YAML: a plain value over lines": lambda s: _HEAD + _SECOND + f"\n      {s.password()}\n",
    "YAML: a quoted value with a broken line": lambda s: _HEAD + _SECOND + f'"\\\n      {s.password()}"\n',
    "YAML: a comment that looks like a value": lambda s: _HEAD + _SECOND + f"{s.password()} #x\n",
    "YAML: a value that begins like a comment": lambda s: _HEAD + _SECOND + f"x#{s.password()}\n",
    "YAML: an explicit key": lambda s: (
        _HEAD + f"  environment:\n  - ? name\n    : DB_PASSWORD\n    ? value\n    : {s.password()}\n"
    ),
    "YAML: a key that is a list": lambda s: _HEAD + f"  environment:\n  - ? [a]\n    : {s.password()}\n",
    "YAML: a key that is a number": lambda s: _HEAD + f"  x:\n    1: {s.token()}\n",
    "YAML: a number of another base": lambda s: _HEAD + _SECOND + "0x" + s.keep("5F3759DF") + "\n",
    "YAML: an octal number": lambda s: _HEAD + _SECOND + s.keep("0755123") + "\n",
    "YAML: a number with underscores": lambda s: _HEAD + _SECOND + s.keep("84_029_155") + "\n",
    "YAML: a number of base 60": lambda s: _HEAD + _SECOND + s.keep("190:20:30") + "\n",
    "YAML: a date": lambda s: _HEAD + _SECOND + s.keep("2001-12-14") + "\n",
    "YAML: a carriage return": lambda s: (_HEAD + _SECOND + s.password()).replace("\n", "\r"),
    "YAML: a line separator of Unicode": lambda s: _HEAD + "  x: a\u2028" + _SECOND + s.password(),
    "YAML: a next line": lambda s: _HEAD + "  x: a\u0085" + _SECOND + s.password(),
    "YAML: tabs": lambda s: _HEAD + "\tenvironment:\n\t- name: DB_PASSWORD\n\t  value: " + s.password(),
    "YAML: a set": lambda s: _HEAD + f"  x: !!set\n    ? {s.token()}\n",
    "YAML: key without a value": lambda s: _HEAD + f"  x:\n    {s.token()}:\n",
    "YAML: a list of single pairs": lambda s: _HEAD + f"  environment: [DB_PASSWORD: {s.password()}]\n",
    "YAML: a byte order mark within": lambda s: (
        _HEAD + f"  \ufeffenvironment:\n  - name: DB_PASSWORD\n    value: {s.password()}\n"
    ),
    "a template of Jinja": lambda s: environment(("DB_PASSWORD", "{{ x | default('" + s.password() + "') }}")),
    "a template of Go": lambda s: environment(("DB_PASSWORD", "{{ must_env `X` }}" + s.password())),
    "a template around the document": lambda s: "{% if true %}" + _json(s) + "{% endif %}",
    "a template of Docker": lambda s: task(
        {"logConfiguration": {"logDriver": "awslogs", "options": {"tag": "{{.Name}}" + s.token()}}}
    ),
    "a resolved reference": lambda s: environment(
        ("DB_PASSWORD", "{{resolve:secretsmanager:orders:SecretString:" + s.password() + "}}")
    ),
    "a resolved reference beside a token": lambda s: environment(("X", "{{resolve:ssm:/a:1}}" + s.token())),
    "context: environment twice": lambda s: _with(
        (("environment", "prod"), ("environment", "dev")), environment(("A_TOKEN", s.password()))
    ),
    "context: an unknown environment": lambda s: _with(
        (("environment", "sandbox"),), environment(("A_TOKEN", s.password()))
    ),
    "context: an empty environment": lambda s: _with((("environment", ""),), environment(("A_TOKEN", s.password()))),
    "context: development": lambda s: _with((("environment", "dev"),), environment(("A_TOKEN", s.password()))),
    "context: another account": lambda s: _with((("account", "999999999999"),), environment(("A_TOKEN", s.password()))),
    "context: enforcement": lambda s: _with((("enforcementAction", "dryrun"),), environment(("A_TOKEN", s.password()))),
    "context: dry run": lambda s: _with((("dryRun", "true"),), environment(("A_TOKEN", s.password()))),
    "context: the time": lambda s: _with((("now", "0"),), environment(("A_TOKEN", s.password()))),
    "context: a token as the environment": lambda s: _with((("environment", s.token()),), task()),
    "context: a token as the actor": lambda s: _with((("actor", s.token()),), task()),
    "context: a token as the commit": lambda s: _with((("commit", s.token()),), task()),
    "context: a token as the service": lambda s: _with((("service", s.token()),), task()),
    "context: a token as the cluster": lambda s: _with((("cluster", s.token()),), task()),
    "context: a token as the ticket": lambda s: _with((("ticket", s.token()),), task()),
    "context: a token in the run": lambda s: _with((("run", f"https://ci.example.com/?t={s.token()}"),), task()),
    "context: userinfo in the run": lambda s: _with((("run", f"https://app:{s.password()}@ci.example.com/"),), task()),
    "context: a password in the run": lambda s: _with(
        (("run", f"https://ci.example.com/?password={s.password()}"),), task()
    ),
    "context: userinfo in the repository": lambda s: _with(
        (("repository", f"https://app:{s.password()}@git.example.com/a"),), task()
    ),
    "context: a token as the name of a parameter": lambda s: _with(((s.token(), "x"),), task()),
    "context: a token as the region": lambda s: _with((("region", s.token()),), task()),
    "review: a token as the uid": lambda s: review(task(), uid=s.token()),
    "review: a token as the operation": lambda s: review(task(), operation=s.token()),
    "review: a token in the options": lambda s: review(task(), options={"actor": s.token()}),
    "review: a token as the name of an option": lambda s: review(task(), options={s.token(): "x"}),
    "review: an environment that is no text": lambda s: review(
        environment(("A_TOKEN", s.password())), options={"environment": ["dev"]}
    ),
    "review: dry run": lambda s: review(environment(("A_TOKEN", s.password())), dryRun=True),
    "review: a harmless old object": lambda s: review(environment(("A_TOKEN", s.password())), oldObject=task()),
    "review: the object as text": lambda s: review(json.dumps(environment(("A_TOKEN", s.password())))),
    "review: the object in base64": lambda s: review(base64.b64encode(_json(s).encode()).decode()),
    "review: another user": lambda s: review(
        environment(("A_TOKEN", s.password())), userInfo={"username": "system:admin"}
    ),
    "review: a review in a review": lambda s: review(json.loads(review(environment(("A_TOKEN", s.password()))).body)),
    "review: sent as an operation": lambda s: Submission(review(environment(("A_TOKEN", s.password()))).body),
    "review: an operation sent as a review": lambda s: Submission(_json(s).encode(), is_review=True),
    "review: another kind": lambda s: review(
        environment(("A_TOKEN", s.password())),
        kind={"group": "ecs.amazonaws.com", "version": "2014-11-13", "kind": "Cluster"},
    ),
    "review: the object twice": lambda s: Submission(
        review(environment(("A_TOKEN", s.password()))).body.replace(b'"object":', b'"object": {}, "object":', 1),
        is_review=True,
    ),
}


def environment_escaped(s: Secrets) -> bytes:
    """A document in which each character of the token is an escape."""
    token = s.token()
    body = submission(environment(("BUILD", token))).body
    return body.replace(token.encode(), "".join(f"\\u{ord(c):04x}" for c in token).encode())
