"""Settings: what is refused before anything starts, and that the document lists every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from ecs_admission.adapt.context import FREE, GRAMMARS
from ecs_admission.errors import SettingsError
from ecs_admission.project.detectors.kingfisher import default_cache
from ecs_admission.settings import Settings, is_local, read_settings

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ECS_ADMISSION_{name.upper()}", raising=False)


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
    assert refusal(monkeypatch, bind=bind) == (
        "ECS_ADMISSION_BIND: Value error, must be HOST:PORT or unix:/path/to/socket"
    )


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
