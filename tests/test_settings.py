"""Settings: what is refused before anything starts, and that the document lists every one of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from ecs_admission.adapt.context import FREE, GRAMMARS
from ecs_admission.configuration import HIDDEN, mask_url, shown
from ecs_admission.errors import SettingsError
from ecs_admission.project.detectors.kingfisher import default_cache
from ecs_admission.settings import Configuration, Settings, is_local, read_configuration, read_settings

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(f"ECS_ADMISSION_{name.upper()}", value)
    return read_settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, **variables)
    assert caught.value.__cause__ is None
    head, *problems = str(caught.value).splitlines()
    assert head == "the settings are not valid:"
    return "\n".join(problem.strip() for problem in problems)


def test_the_defaults_start_a_service_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings()
    assert (settings.bind, settings.engine, settings.workers, settings.threads) == ("127.0.0.1:8080", "embedded", 2, 8)
    assert is_local(settings.bind)
    assert settings.key_file == settings.data_dir / "fingerprint.key"
    assert settings.log_url == f"sqlite:///{settings.data_dir / 'decisions.sqlite3'}"


def test_no_home_folder_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("ecs_admission.settings.Path.home", homeless)
    with pytest.raises(SettingsError, match="there is no home folder for the data: set ECS_ADMISSION_DATA_DIR"):
        read_settings()
    assert read(monkeypatch, data_dir=str(tmp_path)).data_dir == tmp_path


def test_settings_come_from_the_environment_and_cannot_be_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = read(
        monkeypatch, engine="opa", opa_url="unix:///run/opa.sock", data_dir=str(tmp_path), workers="3",
        engine_deadline_seconds="0.5", database_url="sqlite:////tmp/x.db", fingerprint_key_file="/etc/key",
        log_level="debug", unsafe_ephemeral_data_dir="true",
    )  # fmt: skip
    assert (settings.engine, settings.opa_url, settings.workers) == ("opa", "unix:///run/opa.sock", 3)
    assert (settings.log_url, settings.key_file) == ("sqlite:////tmp/x.db", Path("/etc/key"))
    with pytest.raises(ValidationError):
        settings.workers = 4


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "127.8.8.8:80", "[::1]:8080", "localhost:65535", "unix:/run/x.sock"])
def test_addresses_of_this_machine_are_accepted(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    assert read(monkeypatch, bind=bind).bind == bind


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "example.com:80", "localhost.example.com:80", "127.1:80"]
)
def test_other_addresses_need_a_setting_that_says_so(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    assert refusal(monkeypatch, bind=bind).endswith(
        "bind: without authentication only a loopback address or a unix socket is accepted"
    )
    assert read(monkeypatch, bind=bind, unsafe_bind_without_authentication="true").bind == bind


@pytest.mark.parametrize(
    "bind", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "http://x:1", "::1:80"]
)
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    assert refusal(monkeypatch, bind=bind) == ("ECS_ADMISSION_BIND: must be HOST:PORT or unix:/path/to/socket")


def test_where_callers_are_authenticated_every_address_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, bind="0.0.0.0:8080", authentication="required", auth_file="/etc/auth.toml")
    assert (settings.bind, settings.authentication) == ("0.0.0.0:8080", "required")
    assert settings.pepper_file == settings.data_dir / "tokens.key"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"auth_file": "x"}, "need authentication: required"),
        ({"trusted_proxies": "10.0.0.1"}, "need authentication: required"),
        ({"proxy_identity_header": "X-Subject"}, "need authentication: required"),
        ({"authentication": "required", "proxy_identity_header": "X-Subject"}, "needs trusted_proxies"),
        *(
            (
                {"authentication": "required", "trusted_proxies": "unix", "proxy_identity_header": name},
                "must be letters, digits and hyphens",
            )
            for name in ("", "X_Subject", "X Subject", "-X", "X:", "X\n")
        ),
    ],
)
def test_what_would_let_anybody_in_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    assert told in refusal(monkeypatch, **variables)


@pytest.mark.parametrize("url", ["127.0.0.1:8181", "ftp://x", "", "file:///x", "opa"])
def test_an_opa_server_has_a_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert refusal(monkeypatch, engine="opa", opa_url=url).endswith("opa_url: must be http://, https:// or unix:///")


@pytest.mark.parametrize(
    ("name", "value"),
    [("engine", "rego"), ("workers", "0"), ("workers", "65"), ("workers", "many"), ("threads", "0"), ("threads", "257"),
     ("engine_deadline_seconds", "0"), ("engine_deadline_seconds", "61"), ("engine_deadline_seconds", "nan"),
     ("record_deadline_seconds", "-1"), ("record_deadline_seconds", "inf"), ("log_level", "loud"),
     ("policies_poll_seconds", "-1"), ("policies_poll_seconds", "3601"), ("policies_poll_seconds", "often"),
     ("unsafe_ephemeral_data_dir", "maybe")],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refusal(monkeypatch, **{name: value}).startswith(f"ECS_ADMISSION_{name.upper()}: Input should be ")


def test_every_problem_is_listed_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    text = refusal(monkeypatch, workers="hunter2", engine="hunter3", log_level="hunter4", bind="hunter5")
    assert len(text.splitlines()) == 4
    assert "hunter" not in text


def test_so_are_those_across_settings_and_those_of_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('threads = "hunter1"\nworker = 3\nproxy_identity_header = "hunter 2"\n')
    text = refusal(
        monkeypatch, config=str(file), workers="hunter3", bind="0.0.0.0:80", threds="hunter4", engine="opa",
        opa_url="hunter5",
    )  # fmt: skip
    assert text.splitlines() == [
        f"worker in {file}: there is no such setting; is workers meant?",
        "ECS_ADMISSION_THREDS: there is no such setting; is ECS_ADMISSION_THREADS meant?",
        "ECS_ADMISSION_WORKERS: Input should be a valid integer, unable to parse string as an integer",
        f"threads in {file}: Input should be a valid integer, unable to parse string as an integer",
        "auth_file, trusted_proxies and proxy_identity_header need authentication: required",
        "proxy_identity_header: must be letters, digits and hyphens",
        "proxy_identity_header: needs trusted_proxies, or anybody could send it",
        "bind: without authentication only a loopback address or a unix socket is accepted",
        "opa_url: must be http://, https:// or unix:///",
    ]


def test_a_rule_across_settings_is_not_asked_where_one_of_them_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, authentication="maybe", bind="0.0.0.0:80").splitlines() == [
        "ECS_ADMISSION_AUTHENTICATION: Input should be 'none' or 'required'"
    ]


class TestAFile:
    @pytest.fixture
    def file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        file = tmp_path / "settings.toml"
        monkeypatch.setenv("ECS_ADMISSION_CONFIG", str(file))
        return file

    def test_its_values_are_typed_and_may_be_text(self, file: Path) -> None:
        file.write_text(
            'workers = 3\nthreads = "4"\nengine_deadline_seconds = 1\nunsafe_ephemeral_data_dir = true\n'
            'data_dir = "/var/lib/x"\npolicies = ["/a", "/b"]\nanchors = "/c,/d"\n'
        )
        settings = read_settings()
        assert (settings.workers, settings.threads, settings.engine_deadline_seconds) == (3, 4, 1.0)
        assert (settings.data_dir, settings.unsafe_ephemeral_data_dir) == (Path("/var/lib/x"), True)
        assert (settings.policy_places, settings.anchor_places) == ((Path("/a"), Path("/b")), ("/c", "/d"))

    def test_the_environment_wins(self, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
        file.write_text("workers = 3\nthreads = 3\n")
        monkeypatch.setenv("ECS_ADMISSION_WORKERS", "5")
        configuration = read_configuration()
        assert (configuration.settings.workers, configuration.settings.threads) == (5, 3)
        origins = [configuration.origin(name) for name in ("workers", "threads", "engine", "config")]
        assert origins == ["ECS_ADMISSION_WORKERS", str(file), "default", "ECS_ADMISSION_CONFIG"]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"[workers]\n", "workers in FILE: must be a string, a number or a boolean"),
            (b"workers = 2030-01-01\n", "workers in FILE: must be a string, a number or a boolean"),
            (b"workers = [1]\n", "workers in FILE: must be a string, a number or a boolean"),
            (b'policies = ["a,b"]\n', "policies in FILE: must be an array of strings without commas"),
            (b"policies = [1]\n", "policies in FILE: must be an array of strings without commas"),
            (b'config = "x"\n', "config in FILE: a file cannot name another"),
            (b'Workers = "x"\n', "Workers in FILE: there is no such setting; is workers meant?"),
            (b'ECS_ADMISSION_BIND = "x"\n', "ECS_ADMISSION_BIND in FILE: there is no such setting"),
            (b'"hunter2 hunter2" = 1\n', "a key in FILE: there is no such setting"),
            (b"workers = hunter2\n", "ECS_ADMISSION_CONFIG: the file is not TOML (at line 1, column 11)"),
            (b"hunter2", "ECS_ADMISSION_CONFIG: the file is not TOML (at end of document)"),
            (b"\xff", "ECS_ADMISSION_CONFIG: the file is not UTF-8"),
            (None, "ECS_ADMISSION_CONFIG: the file cannot be read: No such file or directory"),
        ],
    )
    def test_what_is_wrong_in_it_is_told_without_its_text(
        self, monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes | None, told: str
    ) -> None:
        if content is not None:
            file.write_bytes(content)
        assert refusal(monkeypatch).splitlines() == [told.replace("FILE", str(file))]


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "ID_TOKEN", "AUDIENCE", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP",
     "PORT_8080_TCP_ADDR", "METRICS_SERVICE_HOST", "OPA_PORT_8181_TCP_PROTO"],
)  # fmt: skip
def test_variables_of_the_client_and_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"ECS_ADMISSION_{name}", "x")
    assert read_settings().workers == 2


@pytest.mark.parametrize("name", ["AUTHENTICATON", "workers", "OPA", "TOKENS", "DATABASE_URL_FILE"])
def test_other_variables_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"ECS_ADMISSION_{name}", "hunter2")
    assert f"ECS_ADMISSION_{name}: there is no such setting" in refusal(monkeypatch)


class TestWhatIsShown:
    def test_no_url_shows_who_connects_or_what_it_asks_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        word = "hunter2"
        read(
            monkeypatch, database_url=f"postgresql://{word}:{word}@db:5432/log?sslpassword={word}", engine="opa",
            opa_url=f"https://{word}@opa:8181/x#{word}", anchors=f"/a,s3://bucket/x?{word}",
            database_read_url=f"postgresql:///log?password={word}",
        )  # fmt: skip
        values = shown(read_configuration())
        assert word not in str(values)
        assert values["database_url"] == "postgresql://***@db:5432/log?***"
        assert values["opa_url"] == "https://***@opa:8181/x?***"
        assert values["database_read_url"] == "postgresql:///log?***"
        assert values["anchors"] == "/a,s3://bucket/x?***"

    @pytest.mark.parametrize("url", ["http://[", "hunter2", "//hunter2@x"])
    def test_what_is_no_url_is_not_shown(self, url: str) -> None:
        assert mask_url(url) == HIDDEN

    def test_every_setting_has_a_decision_whether_it_is_shown(self) -> None:
        """Give a new setting that is text a line in `configuration`, or a reason here."""
        hidden: set[str] = set()
        example = Settings.model_construct(**dict.fromkeys(Settings.model_fields, "x"))
        values = shown(Configuration(example, {}))
        assert {name for name, value in values.items() if value == HIDDEN} - _URLS - _OF_CLOSED_TYPE == hidden


_URLS = {"opa_url", "database_url", "database_read_url"}
"""Which `x` is none of."""

_OF_CLOSED_TYPE = {
    name for name, field in Settings.model_fields.items() if re.search(r"int|float|bool", str(field.annotation))
}
"""Which are never text."""


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", ()),
        (" , ", ()),
        ("/a", ("/a",)),
        ("/a,/b", ("/a", "/b")),
        ("/a:/b", ("/a", "/b")),
        (" /a , b/c.tar.gz ,", ("/a", "b/c.tar.gz")),
        ("/with space,/b", ("/with space", "/b")),
    ],
)
def test_policies_are_a_list_of_places_in_order(
    monkeypatch: pytest.MonkeyPatch, text: str, places: tuple[str, ...]
) -> None:
    assert read(monkeypatch, policies=text).policy_places == tuple(Path(place) for place in places)


def test_policies_are_looked_at_every_few_seconds_and_need_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().policies_poll_seconds == 5
    assert read(monkeypatch, policies_poll_seconds="0").policies_poll_seconds == 0


def table(path: Path, header: str) -> list[list[str]]:
    """The rows of the one table of a document below a header row."""
    lines = path.read_text().splitlines()
    begin = lines.index(header) + 2
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def documented_default(name: str) -> str:
    default = Settings.model_fields[name].default
    if name == "data_dir":
        return "`~/.local/state/ecs-admission`"
    assert default is not PydanticUndefined
    if default in (None, ""):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_document_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = table(REFERENCE / "settings.md", "| Variable | Default | Meaning |")
    assert rows == [
        [f"`ECS_ADMISSION_{name.upper()}`", documented_default(name), str(field.description)]
        for name, field in Settings.model_fields.items()
    ]


def test_the_default_data_folder_is_the_one_in_the_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_settings().data_dir == tmp_path / ".local" / "state" / "ecs-admission"


def test_the_document_lists_every_context_parameter_with_its_grammar() -> None:
    rows = table(REFERENCE / "context.md", "| Parameter | Grammar | Looked at by detectors | Meaning |")
    assert [row[:3] for row in rows] == [
        [f"`{name}`", f"`{grammar.pattern}`", "yes" if name in FREE else "no"] for name, grammar in GRAMMARS.items()
    ]
    assert all(row[3] for row in rows)


def test_no_home_folder_is_no_reason_not_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("KF_RULE_CACHE_DIR", raising=False)
    monkeypatch.setattr("ecs_admission.project.detectors.kingfisher.Path.home", homeless)
    default_cache()
