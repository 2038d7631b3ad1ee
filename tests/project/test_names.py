"""What a name says: a table of names as they are written, and the tricks that hide one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.project.names import NameModel, split_words
from ecs_admission.revision import Revision
from tests.project.samples import unhurried, value_signals

SECRET = {
    # plain
    "PASSWORD": "password",
    "password": "password",
    "DB_PASSWORD": "password",
    "db-password": "password",
    "spring.datasource.password": "password",
    "SPRING_DATASOURCE_PASSWORD": "password",
    "DB_PASS": "pass",
    "SMTP_PWD": "pwd",
    "DB_PASSWD": "passwd",
    "LDAP_BIND_PW": "pw",
    "REDISCLI_AUTH": "auth",
    "GH_PAT": "pat",
    "JWT": "jwt",
    "PIN": "pin",
    "SALT": "salt",
    "CREDS": "creds",
    "DB_CREDENTIALS": "credentials",
    "GPG_PASSPHRASE": "passphrase",
    "WALLET_MNEMONIC": "mnemonic",
    "PASSWORDS": "passwords",
    "SECRETS": "secrets",
    # phrases
    "API_KEY": "api key",
    "X_API_KEY": "api key",
    "SECRET_KEY_BASE": "key base",
    "STRIPE_SECRET_KEY": "secret key",
    "SSH_PRIVATE_KEY": "private key",
    "NEW_RELIC_LICENSE_KEY": "license key",
    "RAILS_MASTER_KEY": "master key",
    "JWT_SIGNING_KEY": "signing key",
    "STORAGE_ACCOUNT_KEY": "account key",
    "SERVICE_ACCOUNT_JSON": "service account json",
    "WALLET_SEED_PHRASE": "seed phrase",
    "GOOGLE_OAUTH_CLIENT_SECRET": "client secret",
    "FACEBOOK_APP_SECRET": "app secret",
    "TWITTER_CONSUMER_SECRET": "consumer secret",
    "TWILIO_AUTH_TOKEN": "auth token",
    "HTTP_BASIC_AUTH": "basic auth",
    # camelCase
    "dbPassword": "password",
    "apiKey": "api key",
    "APIKey": "api key",
    "MyAppDbPassword": "password",
    "JWTSecret": "secret",
    "AWSSecretKey": "secret key",
    "OAuth2Token": "token",
    "HTTPAuthToken": "auth token",
    # glued
    "MYSQLPASSWORD": "password",
    "PGPASSWORD": "password",
    "githubtoken": "token",
    "apikey": "apikey",
    "SECRETKEY": "secretkey",
    "dbpwd": "pwd",
    "HTPASSWD": "passwd",
    # digits
    "DBPassword2": "password",
    "PASSWORD123": "password",
    "DB_PASSWORD_1": "password",
    "SECRET_V2": "secret",
    "AUTH0_CLIENT_SECRET": "client secret",
    # which environment, which of several, which encoding
    "PASSWORD_PROD": "password",
    "PASSWORD_STAGING": "password",
    "API_KEY_DEV": "api key",
    "DB_PASSWORD_OLD": "password",
    "PRIVATE_KEY_RAW": "private key",
    "TOKEN_VALUE": "token",
    "PASSWORD_DEV_2": "password",
    # wherever they stand
    "AWS_ACCESS_KEY_ID": "aws access key id",
    "AWS_SECRET_ACCESS_KEY": "aws secret access key",
    "MY_AWS_SECRET_ACCESS_KEY_FILE": "aws secret access key",
    "AWS_SESSION_TOKEN": "aws session token",
    "ECS_ENGINE_AUTH_DATA": "ecs engine auth data",
    "DOCKER_AUTH_CONFIG": "docker auth config",
}

HINTING = {"PASSWORD_HASH": "password", "PASS_WORD": "pass", "JWT_PUBLIC_KEY": "jwt", "SECRET_SAUCE": "secret"}

HARMLESS = [
    "LOG_LEVEL",
    "PORT",
    "AWS_REGION",
    "KEY",
    "CLIENT_ID",
    "OAUTH_CLIENT_ID",
    "KEY_ID",
    "KMS_KEY_ARN",
    "PUBLIC_KEY",
    "DB_PASSWORD_ARN",
    "DB_SECRET_ARN",
    "SECRET_NAME",
    "SECRET_ID",
    "SECRET_PATH",
    "SECRET_REGION",
    "DB_PASSWORD_FILE",
    "passwordFile",
    "API_KEY_PARAMETER",
    "API_KEY_HEADER",
    "TLS_KEY_FILE",
    "SSL_KEY_PATH",
    "TOKEN_URL",
    "TOKEN_ENDPOINT",
    "TOKEN_TYPE",
    "TOKEN_AUDIENCE",
    "TOKEN_TTL",
    "TOKEN_TTL_SECONDS",
    "tokenExpiry",
    "PASSWORD_MIN_LENGTH",
    "PASSWORD_POLICY",
    "PASSWORD_ROTATION_DAYS",
    "JWT_ISSUER",
    "JWT_ALGORITHM",
    "JWT_EXPIRATION_MS",
    "SALT_ROUNDS",
    "TOKEN_BUCKET_SIZE",
    "TOKEN_LIMIT",
    "MAX_TOKENS",
    "NUM_TOKENS",
    "ENABLE_PASSWORD_RESET",
    "ENABLE_AUTH",
    "DISABLE_AUTH",
    "USE_AUTH",
    "NO_AUTH",
    "SKIP_AUTH",
    "REQUIRE_PASSWORD",
    "AUTH_ENABLED",
    "AUTH_MODE",
    "AUTH_TYPE",
    "AUTH_URL",
    "AUTH_PROVIDER",
    "AUTH_HEADER",
    "PASSWORD_RESET_URL",
    "TOKENIZERS_PARALLELISM",
    "TOKENIZER",
    "SECRETARY_EMAIL",
    "PASSENGER",
    "PASSAGE_ID",
    "PASSPORT_NUMBER",
    "PASSIVE_MODE",
    "PASSWORDLESS",
    "BYPASS",
    "BYPASS_CACHE",
    "COMPASS",
    "AUTHOR",
    "AUTHORITY",
    "PATH",
    "CLASSPATH",
    "PATTERN",
    "SPIN",
    "PINNED",
    "HOTKEY",
    "MONKEY",
    "KEYBOARD",
    "PARTITION_KEY",
    "SORT_KEY",
    "PRIMARY_KEY",
    "CACHE_KEY",
    "NOTOKEN",
    "SECRETS_MANAGER_ENABLED",
    "SECRET_STORE",
    "VAULT_ADDR",
]

DISGUISED = [
    "PASS\u200bWORD",
    "PASS\u2060WORD",
    "TOKE\u200dN",
    "DB\u00adPASSWORD",
    "PASS\u034fWORD",
    "PASSWORD\ufeff",
    "PASS\u180eWORD",
    "PASSWORD\u3164",
    "PASS\uffa0WORD",
    "\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24",
    "\uff41\uff50\uff49\uff3f\uff4b\uff45\uff59",
    "".join(chr(0x1D400 + ord(c) - 65) for c in "PASSWORD"),
    "".join(chr(0x24D0 + ord(c) - 97) for c in "password"),
]


@pytest.fixture(scope="module")
def model(pack: Pack) -> NameModel:
    return NameModel(pack.config["words"])


def test_the_table_is_a_table() -> None:
    assert len(SECRET) + len(HINTING) + len(HARMLESS) + len(DISGUISED) >= 80


@pytest.mark.parametrize(("name", "word"), SECRET.items())
def test_names_that_end_in_a_secrets_word_weigh_most(model: NameModel, name: str, word: str) -> None:
    verdict = model.classify(name)
    assert (verdict.word, verdict.confidence) == (word, "high")


@pytest.mark.parametrize(("name", "word"), HINTING.items())
def test_a_secrets_word_elsewhere_weighs_less(model: NameModel, name: str, word: str) -> None:
    verdict = model.classify(name)
    assert (verdict.word, verdict.confidence) == (word, "medium")


@pytest.mark.parametrize("name", HARMLESS)
def test_names_about_a_secret_and_names_that_only_look_like_one_are_no_sign(model: NameModel, name: str) -> None:
    verdict = model.classify(name)
    assert (verdict.word, verdict.confidence) == (None, None)


@pytest.mark.parametrize("name", DISGUISED, ids=ascii)
def test_invisible_and_compatibility_characters_do_not_hide_a_name(revision: Revision, name: str) -> None:
    assert [(d, c) for d, _, c in value_signals(revision, "orange-7", name)] == [("name", "high")]


def test_a_name_is_judged_by_its_end_when_it_is_very_long(model: NameModel) -> None:
    assert model.classify("A" * 5000 + "_PASSWORD").confidence == "high"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", ()),
        ("___", ()),
        ("DB_PASSWORD", ("db", "password")),
        ("dbPassword", ("db", "password")),
        ("HTTPServerURL", ("http", "server", "url")),
        ("Oauth2Token", ("oauth", "2", "token")),
        ("v10alpha", ("v", "10", "alpha")),
        ("a.b/c-d e", ("a", "b", "c", "d", "e")),
    ],
)
def test_words_end_at_case_changes_digits_and_separators(name: str, words: tuple[str, ...]) -> None:
    assert split_words(name) == words


@unhurried
@given(name=st.text())
def test_any_text_can_be_classified(model: NameModel, name: str) -> None:
    verdict = model.classify(name)
    assert (verdict.word is None) == (verdict.confidence is None)


@unhurried
@given(name=st.text(), separator=st.sampled_from("_-./ "))
def test_nothing_in_front_of_a_password_excuses_it_but_a_switch(model: NameModel, name: str, separator: str) -> None:
    verdict = model.classify(f"{name}{separator}DB{separator}PASSWORD")
    assert verdict.confidence == "high" or split_words(name)[0] in model._beginnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": []}, "config/words: expected exactly the keys"),
        ({"secret": []}, "config/words: secret must be a list of lower-case words or phrases"),
        ({"trailing": "prod"}, "config/words: trailing must be a list"),
        ({"glued": ["Password"]}, "config/words: glued must be a list of lower-case"),
        ({"harmless_endings": [1]}, "config/words: harmless_endings must be a list"),
    ],
)
def test_words_that_are_not_words_are_refused(pack: Pack, change: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        NameModel({**pack.config["words"], **change})


def test_a_missing_list_of_words_is_refused(pack: Pack) -> None:
    words = {key: value for key, value in pack.config["words"].items() if key != "always"}
    with pytest.raises(PolicyError, match="always"):
        NameModel(words)
