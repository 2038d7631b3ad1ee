"""What a name says: a table of names as they are written, and the tricks that hide one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.pack import Pack
from ecs_admission.errors import PolicyError
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.names import NameModel, split_words
from ecs_admission.project.projection import Projector
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.project.samples import denials, environment, letters, unhurried, value_signals

CREDENTIAL = "zQ7xK" + letters(24)
"""A value that looks generated, of no provider's form."""

CERTAIN = [
    # plain
    "PASSWORD",
    "password",
    "DB_PASSWORD",
    "db-password",
    "spring.datasource.password",
    "SPRING_DATASOURCE_PASSWORD",
    "DB_PASS",
    "SMTP_PWD",
    "DB_PASSWD",
    "LDAP_BIND_PW",
    "GPG_PASSPHRASE",
    "WALLET_MNEMONIC",
    "PASSWORDS",
    # phrases
    "API_KEY",
    "SECRET_KEY_BASE",
    "STRIPE_SECRET_KEY",
    "SSH_PRIVATE_KEY",
    "RAILS_MASTER_KEY",
    "JWT_SIGNING_KEY",
    "STORAGE_ACCOUNT_KEY",
    "SERVICE_ACCOUNT_JSON",
    "WALLET_SEED_PHRASE",
    "GOOGLE_OAUTH_CLIENT_SECRET",
    "FACEBOOK_APP_SECRET",
    "TWITTER_CONSUMER_SECRET",
    "TWILIO_AUTH_TOKEN",
    # camelCase
    "dbPassword",
    "apiKey",
    "APIKey",
    "MyAppDbPassword",
    "JWTSecret",
    "AWSSecretKey",
    "OAuth2Token",
    "HTTPAuthToken",
    # glued
    "MYSQLPASSWORD",
    "PGPASSWORD",
    "githubtoken",
    "apikey",
    "SECRETKEY",
    "dbpwd",
    "HTPASSWD",
    # digits
    "DBPassword2",
    "PASSWORD123",
    "DB_PASSWORD_1",
    "SECRET_V2",
    "AUTH0_CLIENT_SECRET",
    # which environment, which of several, which encoding
    "PASSWORD_PROD",
    "PASSWORD_STAGING",
    "API_KEY_DEV",
    "DB_PASSWORD_OLD",
    "PRIVATE_KEY_RAW",
    "TOKEN_VALUE",
    "PASSWORD_DEV_2",
    # wherever they stand
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MY_AWS_SECRET_ACCESS_KEY_FILE",
    "AWS_SESSION_TOKEN",
    "ECS_ENGINE_AUTH_DATA",
    "DOCKER_AUTH_CONFIG",
]

LIKELY = [
    "REDISCLI_AUTH",
    "GH_PAT",
    "JWT",
    "SALT",
    "CREDS",
    "DB_CREDENTIALS",
    "SECRETS",
    "NEW_RELIC_LICENSE_KEY",
    "HTTP_BASIC_AUTH",
    "X_API_KEY",
    "PASSWORD_HASH",
    "SECRET_SAUCE",
]
"""Names whose value often is a secret: high or medium, as the words are weighed."""

GENERAL = ["KEY", "PARTITION_KEY", "SORT_KEY", "PRIMARY_KEY", "CACHE_KEY", "ROUTING_KEY"]
"""Names as general as `key`: no sign for a value unless it looks generated."""

HARMLESS = [
    "LOG_LEVEL",
    "PORT",
    "AWS_REGION",
    "CLIENT_ID",
    "OAUTH_CLIENT_ID",
    "KEY_ID",
    "JWT_PUBLIC_KEY",
    "KMS_KEY_ARN",
    "PUBLIC_KEY",
    "DB_PASSWORD_ARN",
    "DB_SECRET_ARN",
    "SECRET_NAME",
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


@pytest.fixture(scope="module")
def phrases(pack: Pack) -> frozenset[str]:
    """The words and phrases of ours that a verdict may name."""
    words = pack.config["words"]
    return frozenset(text for key in ("secret", "weak", "faint", "glued", "always") for text in words[key])


def denied(reviewer: Reviewer, name: str, value: str) -> bool:
    """Whether a variable of this name with this value is a plaintext secret, by the policies that ship."""
    found = denials(reviewer, environment([(name, value)]))
    place = "/containerDefinitions/0/environment/0/value"
    return bool(found & {("plaintext/environment", place), ("plaintext/aws-credentials", place)})


def test_the_table_is_a_table() -> None:
    names = [*CERTAIN, *LIKELY, *GENERAL, *HARMLESS, *DISGUISED]
    assert len(names) == len(set(names)) >= 80


@pytest.mark.parametrize("name", CERTAIN)
def test_names_that_end_in_a_secrets_word_weigh_most(model: NameModel, phrases: frozenset[str], name: str) -> None:
    verdict = model.classify(name)
    assert verdict.confidence == "high"
    assert verdict.word in phrases


@pytest.mark.parametrize("name", LIKELY)
def test_names_that_are_often_those_of_secrets_weigh_too(model: NameModel, phrases: frozenset[str], name: str) -> None:
    verdict = model.classify(name)
    assert verdict.confidence in ("high", "medium")
    assert verdict.word in phrases


@pytest.mark.parametrize("name", [*CERTAIN, *LIKELY])
def test_a_credential_under_the_name_of_one_is_denied(reviewer: Reviewer, name: str) -> None:
    assert denied(reviewer, name, CREDENTIAL)


@pytest.mark.parametrize("name", CERTAIN)
def test_even_a_weak_password_is(reviewer: Reviewer, name: str) -> None:
    assert denied(reviewer, name, "orange")


@pytest.mark.parametrize("name", HARMLESS)
def test_names_about_a_secret_and_names_that_only_look_like_one_are_no_sign(model: NameModel, name: str) -> None:
    verdict = model.classify(name)
    assert (verdict.word, verdict.confidence) == (None, None)


@pytest.mark.parametrize("name", [*HARMLESS, *GENERAL])
@pytest.mark.parametrize("value", ["orange", "Orange-7-Boat", "3600", "true", "/run/secrets/db", "sha256"])
def test_no_ordinary_value_is_denied_under_them(reviewer: Reviewer, name: str, value: str) -> None:
    assert not denied(reviewer, name, value)


@pytest.mark.parametrize("name", GENERAL)
def test_a_general_name_counts_least(model: NameModel, name: str) -> None:
    assert model.classify(name).confidence in (None, "low")


@pytest.mark.parametrize("name", [*CERTAIN, *LIKELY])
@pytest.mark.parametrize("value", ["", "  ", "<your-password>", "${FROM_ELSEWHERE}", "true", "changeme"])
def test_a_value_that_stands_for_nothing_is_no_secret(reviewer: Reviewer, name: str, value: str) -> None:
    assert not denied(reviewer, name, value)


@pytest.mark.parametrize("name", DISGUISED, ids=ascii)
def test_invisible_and_compatibility_characters_do_not_hide_a_name(revision: Revision, name: str) -> None:
    assert [(d, c) for d, _, c in value_signals(revision, "orange-7", name)] == [("name", "high")]


@pytest.mark.parametrize("name", DISGUISED, ids=ascii)
def test_a_credential_under_a_disguised_name_is_denied(reviewer: Reviewer, name: str) -> None:
    assert denied(reviewer, name, CREDENTIAL)


def test_a_name_is_judged_by_its_end_when_it_is_very_long(model: NameModel) -> None:
    assert model.classify("A" * 5000 + "_PASSWORD").confidence == "high"


def test_a_name_longer_than_that_is_not_remembered(pack: Pack, revision: Revision, key: FingerprintKey) -> None:
    projector = Projector(pack.config, (), key)
    location = revision.locations["RegisterTaskDefinition"]
    names = ["A" * 247 + "_PASSWORD", "B" * 248 + "_PASSWORD", "C" * 100_000 + "_PASSWORD"]
    projection = projector.project(environment((name, CREDENTIAL) for name in names), location)
    assert len(projection.literals) == 3
    assert [name[0] for name in projector._verdicts if len(name) > 200] == ["A"]


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


NO_WORD = "expected a word or a phrase in lower case; quote what YAML reads as something else"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": []}, "config/words/extra: expected exactly the lists secret, weak, faint, glued, always, trailing, "
         "harmless_endings, harmless_beginnings, placeholders, settings"),
        ({"secret": []}, "config/words/secret: expected a list of words or phrases"),
        ({"secret": None}, "config/words/secret: expected a list of words or phrases"),
        ({"trailing": "prod"}, "config/words/trailing: expected a list of words or phrases"),
        ({"glued": {"password": 1}}, "config/words/glued: expected a list of words or phrases"),
        ({"glued": ["password", "Password"]}, f"config/words/glued/1: {NO_WORD}"),
        ({"harmless_endings": [1]}, f"config/words/harmless_endings/0: {NO_WORD}"),
        ({"harmless_beginnings": ["is", True]}, f"config/words/harmless_beginnings/1: {NO_WORD}"),
        ({"weak": ["key", " "]}, "config/words/weak/1: a phrase has one to 5 words"),
        ({"secret": ["a b c d e", "a b c d e f"]}, "config/words/secret/1: a phrase has one to 5 words"),
    ],
)  # fmt: skip
def test_words_that_are_not_words_are_refused(pack: Pack, change: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        NameModel({**pack.config["words"], **change})
    assert str(caught.value) == message
    assert "/".join(str(key) for key in caught.value.at or ()) == message.partition(": ")[0]


@pytest.mark.parametrize("name", ["secret", "placeholders", "settings"])
def test_a_list_of_words_that_is_missing_is_refused(pack: Pack, name: str) -> None:
    words = {key: value for key, value in pack.config["words"].items() if key != name}
    with pytest.raises(PolicyError, match="config/words: expected exactly the lists"):
        NameModel(words)


def test_a_missing_list_of_words_is_refused(pack: Pack) -> None:
    words = {key: value for key, value in pack.config["words"].items() if key != "always"}
    with pytest.raises(PolicyError, match="always"):
        NameModel(words)
