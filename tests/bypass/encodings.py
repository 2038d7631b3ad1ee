"""Values in another form: encoded, split, padded, or inside the text of another format."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse

from tests.bypass.hiding import Secrets, Ways, environment, shell, task, variables


def _pair(s: Secrets) -> str:
    return f"password={s.password()}"


def _docker_config(s: Secrets) -> str:
    auth = s.encoded(f"deploy:{s.password()}")
    return json.dumps({"auths": {"registry.example.com": {"auth": auth}}})


def _b64(s: Secrets, text: str, layers: int = 1) -> str:
    for _ in range(layers):
        text = s.encoded(text)
    return text


def _urlsafe(s: Secrets, text: str) -> str:
    return s.keep(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def _wrapped(text: str) -> str:
    return "\n".join(text[start : start + 76] for start in range(0, len(text), 76))


_PADDING = 900_000

WAYS: Ways = {
    "base64 of a token": lambda s: environment(("BUILD", _b64(s, s.token()))),
    "base64 of name and value": lambda s: environment(("BUILD", _b64(s, _pair(s)))),
    "base64 without padding": lambda s: environment(("BUILD", s.keep(_b64(s, s.token() + "a").rstrip("=")))),
    "base64 for URLs": lambda s: environment(("BUILD", _urlsafe(s, f"pass>>word??: {s.token()}"))),
    "two layers of base64": lambda s: environment(("BUILD", _b64(s, s.token(), 2))),
    "three layers of base64": lambda s: environment(("BUILD", _b64(s, s.token(), 3))),
    "four layers of base64": lambda s: environment(("BUILD", _b64(s, s.token(), 4))),
    "base64 of JSON": lambda s: environment(("BUILD", _b64(s, json.dumps({"db": {"password": s.password()}})))),
    "base64 of an env file": lambda s: environment(
        ("DOTENV", _b64(s, f"LOG_LEVEL=info\nDB_PASSWORD={s.password()}\n"))
    ),
    "base64 of a docker config": lambda s: environment(("BUILD", _b64(s, _docker_config(s)))),
    "base64 of YAML": lambda s: environment(("BUILD", _b64(s, f"db:\n  user: app\n  password: {s.password()}\n"))),
    "base64 in a shell pipeline": lambda s: shell(f"echo {_b64(s, s.token())} | base64 -d > /run/x && serve"),
    "base64 in a here-string": lambda s: shell(f"base64 -d <<< {_b64(s, s.token())}"),
    "base64 in a substitution": lambda s: shell(f'export X="$(echo {_b64(s, _pair(s))} | base64 -d)"; serve'),
    "base64 in quotes in a list": lambda s: shell(
        f"python -c \"import base64; base64.b64decode('{_b64(s, s.token())}')\""
    ),
    "base64 in a data URL": lambda s: environment(("BUILD", f"data:text/plain;base64,{_b64(s, s.token())}")),
    "base64 behind a prefix": lambda s: environment(("BUILD", f"base64:{_b64(s, s.token())}")),
    "base64 behind ENC(": lambda s: environment(("BUILD", f"ENC({_b64(s, s.token())})")),
    "base64 with spaces around": lambda s: environment(("BUILD", f"  {_b64(s, s.token())}  ")),
    "base64 in a label": lambda s: task({"dockerLabels": {"build": _b64(s, s.token())}}),
    "base64 in JSON": lambda s: environment(("BUILD", json.dumps({"a": {"b": [_b64(s, s.token())]}}))),
    "JSON of base64 of JSON": lambda s: environment(
        ("BUILD", json.dumps({"a": _b64(s, json.dumps({"password": s.password()}))}))
    ),
    "base64 among values with commas": lambda s: environment(("BUILD", f"a,{_b64(s, s.token())},b")),
    "base64 of gzip": lambda s: environment(
        ("BUILD", s.keep(base64.b64encode(gzip.compress(s.token().encode())).decode()))
    ),
    "escapes of JSON in a value": lambda s: environment(("BUILD", '{"p\\u0061ssword":"' + s.password() + '"}')),
    "entities of XML in a value": lambda s: environment(("BUILD", f"<a><password>&#65;{s.password()}</password></a>")),
    "a token split by two fallbacks": lambda s: environment(
        ("BUILD", "${A:-" + s.keep(s.token()[:20]) + "}${B:-" + s.keep(s.made[-2][20:]) + "}")
    ),
    "a password in a fallback": lambda s: environment(("DB_PASSWORD", "${DB_PASSWORD:-" + s.password() + "}")),
    "a password in a fallback with one sign": lambda s: environment(
        ("DB_PASSWORD", "${DB_PASSWORD-" + s.password() + "}")
    ),
    "a password in a fallback that assigns": lambda s: environment(
        ("DB_PASSWORD", "${DB_PASSWORD:=" + s.password() + "}")
    ),
    "a password in a fallback of a fallback": lambda s: environment(
        ("DB_PASSWORD", "${A:-${B:-" + s.password() + "}}")
    ),
    "a password split by an unset variable": lambda s: environment(
        ("DB_PASSWORD", "${X}".join((s.password()[:8], s.keep(s.made[-1][8:]))))
    ),
    "a password between templates": lambda s: environment(("DB_PASSWORD", "${A}" + s.password() + "${B}")),
    "a password in angle brackets": lambda s: environment(("DB_PASSWORD", f"<{s.password()}>")),
    "a password in square brackets": lambda s: environment(("DB_PASSWORD", f"[{s.password()}]")),
    "a password in percent signs": lambda s: environment(("DB_PASSWORD", f"%{s.password()}%")),
    "a password in underscores": lambda s: environment(("DB_PASSWORD", f"__{s.password()}__")),
    "a password in at signs": lambda s: environment(("DB_PASSWORD", f"@{s.password()}@")),
    "a password behind a dollar sign": lambda s: environment(("DB_PASSWORD", f"${s.password()}")),
    "a password as a path": lambda s: environment(("DB_PASSWORD", f"/{s.password()}")),
    "a password as a longer path": lambda s: environment(("DB_PASSWORD", f"/run/secrets/{s.password()}")),
    "a password as a name in an ARN": lambda s: environment(
        ("DB_PASSWORD", f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{s.password()}")
    ),
    "a password in what a harmless value ends with": lambda s: environment(("DB_PASSWORD", f"changeme-{s.password()}")),
    "a password behind changeme with spaces": lambda s: environment(("DB_PASSWORD", f"change me {s.password()}")),
    "a password as a header name": lambda s: environment(("API_TOKEN", f"x-{s.password()}")),
    "a passphrase of words": lambda s: environment(("DB_PASSWORD", s.keep("correct horse battery staple"))),
    "a passphrase with hyphens": lambda s: environment(("DB_PASSWORD", s.keep("correct-horse-battery-staple"))),
    "a password of digits": lambda s: environment(("DB_PASSWORD", s.keep("8402915537"))),
    "a number": lambda s: variables({"name": "DB_PASSWORD", "value": int(s.keep("84029155"))}),
    "a fraction": lambda s: variables({"name": "DB_PASSWORD", "value": float(s.keep("84029.155"))}),
    "a boolean as the value": lambda s: variables({"name": "DB_PASSWORD", "value": [s.password()]}),
    "a list as the value": lambda s: variables({"name": "DB_PASSWORD", "value": [s.password()]}),
    "an object as the value": lambda s: variables({"name": "DB_PASSWORD", "value": {"x": s.password()}}),
    "spaces in front": lambda s: environment(("BUILD", " " * _PADDING + s.token())),
    "spaces behind": lambda s: environment(("BUILD", s.token() + " " * _PADDING)),
    "lines in front": lambda s: environment(("BUILD", "\n" * 400_000 + s.token())),
    "letters in front": lambda s: environment(("BUILD", "x" * _PADDING + " " + s.token())),
    "letters behind": lambda s: environment(("BUILD", s.token() + " " + "x" * _PADDING)),
    "words in front of an assignment": lambda s: environment(("BUILD", "lorem ipsum " * 70_000 + _pair(s))),
    "assignments in front of an assignment": lambda s: environment(("BUILD", "a=b;" * 200_000 + _pair(s))),
    "passwords that are none in front": lambda s: environment(("BUILD", "password=${A} " * 60_000 + _pair(s))),
    "a password behind spaces": lambda s: environment(("DB_PASSWORD", " " * _PADDING + s.password())),
    "a password behind a placeholder and spaces": lambda s: environment(
        ("DB_PASSWORD", "changeme" + " " * 5000 + s.password())
    ),
    "a newline in the value": lambda s: environment(("DB_PASSWORD", "\n" + s.password() + "\n")),
    "a NUL in the value": lambda s: environment(("DB_PASSWORD", "\0" + s.password())),
    "a NUL in front of a token": lambda s: environment(("BUILD", "x\0" + s.token())),
    "controls around a token": lambda s: environment(("BUILD", "\x1b[8m" + s.token() + "\x1b[0m")),
    "a backspace behind a token": lambda s: environment(("BUILD", s.token() + "\b" * 40)),
    "JSON": lambda s: environment(("CONFIG", json.dumps({"db": {"connection": {"password": s.password()}}}))),
    "JSON in JSON": lambda s: environment(("CONFIG", json.dumps({"a": json.dumps({"password": s.password()})}))),
    "JSON in JSON in JSON": lambda s: environment(
        ("CONFIG", json.dumps({"a": json.dumps({"b": json.dumps({"password": s.password()})})}))
    ),
    "JSON of name and value": lambda s: environment(
        ("CONFIG", json.dumps([{"name": "PASSWORD", "value": s.password()}]))
    ),
    "JSON of key and value": lambda s: environment(
        ("CONFIG", json.dumps([{"Key": "PASSWORD", "Value": s.password()}]))
    ),
    "JSON with a comment": lambda s: environment(("CONFIG", '{"password": "' + s.password() + '", /* x */}')),
    "JSON without quotes": lambda s: environment(("CONFIG", "{password: " + s.password() + "}")),
    "JSON with single quotes": lambda s: environment(("CONFIG", "{'password': '" + s.password() + "'}")),
    "JSON with a number": lambda s: environment(("CONFIG", json.dumps({"password": int(s.keep("84029155"))}))),
    "JSON with more values than are looked at": lambda s: environment(
        ("CONFIG", json.dumps({"password": s.password(), **{f"a{i}": "b" for i in range(9000)}}))
    ),
    "JSON with more values than are looked at, the secret last": lambda s: environment(
        ("CONFIG", json.dumps({**{f"a{i}": "b" for i in range(9000)}, "password": s.password()}))
    ),
    "lines of JSON": lambda s: environment(("CONFIG", '{"a": 1}\n{"password": "' + s.password() + '"}')),
    "YAML": lambda s: environment(("CONFIG", f"db:\n  user: app\n  password: {s.password()}\n")),
    "YAML in a block": lambda s: environment(("CONFIG", f"db:\n  password: |-\n    {s.password()}\n")),
    "XML in an element": lambda s: environment(("CONFIG", f"<db><password>{s.password()}</password></db>")),
    "XML in an attribute": lambda s: environment(("CONFIG", f'<db user="a" password="{s.password()}"/>')),
    "XML as name and value": lambda s: environment(("CONFIG", f'<property name="password" value="{s.password()}"/>')),
    "INI": lambda s: environment(("CONFIG", f"[db]\nuser = app\npassword = {s.password()}\n")),
    "TOML": lambda s: environment(("CONFIG", f'[db]\nuser = "app"\npassword = "{s.password()}"\n')),
    "TOML inline": lambda s: environment(("CONFIG", f'db = {{ user = "app", password = "{s.password()}" }}')),
    "TOML in three quotes": lambda s: environment(("CONFIG", f'password = """{s.password()}"""')),
    "properties": lambda s: environment(("CONFIG", f"spring.datasource.password={s.password()}\n")),
    "HCL": lambda s: environment(("CONFIG", f'db {{\n  password = "{s.password()}"\n}}')),
    "a netrc": lambda s: environment(("CONFIG", f"machine example.com login app password {s.password()}")),
    "a netrc over lines": lambda s: environment(
        ("CONFIG", f"machine example.com\n  login app\n  password {s.password()}")
    ),
    "a pgpass": lambda s: environment(("CONFIG", f"db.example.com:5432:orders:app:{s.password()}")),
    "a htpasswd": lambda s: environment(("CONFIG", "app:$apr1$" + s.keep("x8sKd92a$" + "Ab1" * 7 + "."))),
    "a query string": lambda s: environment(("CONFIG", f"user=app&password={s.password()}&x=1")),
    "a matrix of parameters": lambda s: environment(("CONFIG", f"user=app;Pwd={s.password()};x=1")),
}


def _nested(value: object, layers: int) -> str:
    text = json.dumps(value)
    for _ in range(layers):
        text = json.dumps({"a": text})
    return text


def _with_sign(password: str, sign: str) -> str:
    return "postgres://app:" + password[:8] + sign + password[8:] + "@db/orders"


_URLS = {
    "percent-encoded userinfo": lambda p: "postgres://app:" + urllib.parse.quote("@" + p + "/", safe="") + "@db/orders",
    "IPv6 host": lambda p: f"postgres://app:{p}@[2001:db8::1]:5432/orders",
    "IPv6 host in userinfo's place": lambda p: f"redis://:{p}@[::1]/0",
    "two at signs": lambda p: f"postgres://app:{p}@x@db/orders",
    "userinfo in a query": lambda p: f"https://example.com/?next=https://app:{p}@example.org/",
    "a parameter of a query": lambda p: f"https://example.com/?a=b&api_key={p}",
    "a path parameter": lambda p: f"https://example.com/a;password={p}",
    "a slash in the password": lambda p: _with_sign(p, "/"),
    "a colon in the password": lambda p: _with_sign(p, ":"),
    "a question mark in the password": lambda p: _with_sign(p, "?"),
    "a hash in the password": lambda p: _with_sign(p, "#"),
    "no user": lambda p: f"redis://:{p}@cache:6379/0",
    "a token for a user": lambda p: f"https://{p}@git.example.com/orders.git",
    "capitals in the scheme": lambda p: f"PostgreSQL://app:{p}@db/orders",
    "two schemes": lambda p: f"jdbc:postgresql://app:{p}@db/orders",
    "a scheme with a driver": lambda p: f"mysql+pymysql://app:{p}@db/orders",
    "no scheme": lambda p: f"//app:{p}@db/orders",
    "no scheme and no slashes": lambda p: f"app:{p}@db:5432/orders",
    "a driver of Go": lambda p: f"app:{p}@tcp(db:3306)/orders",
    "a quoted URL": lambda p: f"'postgres://app:{p}@db/orders'",
    "many hosts": lambda p: f"mongodb://app:{p}@a:27017,b:27017,c:27017/orders",
    "the second of two URLs": lambda p: f"amqp://a@b,amqp://app:{p}@c",
    "an empty password before another": lambda p: f"https://a:@b/ https://app:{p}@example.com",
    "a template for a user": lambda p: "postgres://${USER}:" + p + "@db/orders",
    "a template beside the password": lambda p: "postgres://app:${X}" + p + "@db/orders",
    "a newline in the scheme": lambda p: f"postgres:\n//app:{p}@db/orders",
}
_CONNECTIONS = {
    "Pwd": lambda p: f"Server=db;Uid=app;Pwd={p};",
    "PWD with spaces": lambda p: f"Server = db ; UID = app ; PWD = {p} ;",
    "Password with spaces": lambda p: f"Data Source=db;User Id=app;Password = {p};",
    "password in quotes": lambda p: f"Server=db;Password='{p}';",
    "password in double quotes": lambda p: f'Server=db;Password="{p};x";',
    "password in braces": lambda p: f"Driver={{ODBC Driver 18}};Server=db;UID=app;PWD={{{p}}};",
    "password last": lambda p: f"Server=db;User Id=app;Password={p}",
    "password first": lambda p: f"Password={p};Server=db",
    "libpq": lambda p: f"host=db user=app password={p} dbname=orders",
    "libpq in quotes": lambda p: f"host=db user=app password = '{p}'",
    "JDBC of Oracle": lambda p: f"jdbc:oracle:thin:app/{p}@db:1521/orders",
    "JDBC of Oracle with an address": lambda p: f"jdbc:oracle:thin:app/{p}@//db:1521/orders",
    "JDBC of SQL Server": lambda p: f"jdbc:sqlserver://db:1433;user=app;password={p}",
    "JDBC with a query": lambda p: f"jdbc:mysql://db/orders?user=app&password={p}",
    "Azure storage": lambda p: f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={p}AbCd09==;",
    "a service bus": lambda p: f"Endpoint=sb://a.example.net/;SharedAccessKeyName=r;SharedAccessKey={p}=",
    "JAAS": lambda p: f'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="{p}";',
    "a double equals sign": lambda p: f"Server=db;Password=={p};",
    "two spellings, the first empty": lambda p: f"Server=db;Password=;Pwd={p};",
    "a template before it": lambda p: "Server=db;Password=${X};Pwd=" + p + ";",
    "a tab behind the sign": lambda p: f"Server=db;Password=\t{p};",
    "a vertical tab behind the sign": lambda p: f"Server=db;Password=\v{p};",
    "a no-break space behind the sign": lambda p: f"Server=db;Password=\u00a0{p};",
    "user and password": lambda p: f"username=app,password={p},addr=10.0.0.1",
}

WAYS = {
    **WAYS,
    **{
        f"URL: {what}": lambda s, make=make: environment(("ENDPOINT", make(s.password())))
        for what, make in _URLS.items()
    },
    **{
        f"connection: {what}": lambda s, make=make: environment(("ENDPOINT", make(s.password())))
        for what, make in _CONNECTIONS.items()
    },
}
