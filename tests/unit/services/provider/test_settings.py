"""What may stand in `env:`."""

from __future__ import annotations

from pathlib import Path

import pytest
from firebreak_runtime.errors import LoadError

from services.provider.provider.settings import Settings, read_settings

FOLDER = Path("/services/provider")
GOOD = {"PROVIDER_MODEL": "openai:m", "PROVIDER_API_KEY_FILE": "../key"}


def test_the_address_may_be_the_providers_own() -> None:
    assert read_settings(GOOD, FOLDER) == Settings("openai:m", None, FOLDER / "../key")


def test_the_key_file_is_in_the_folder_of_the_services_secrets() -> None:
    env = {**GOOD, "PROVIDER_API_KEY_FILE": "api-key", "FIREBREAK_SECRETS": "/run/secrets"}
    assert read_settings(env, FOLDER).key_file == Path("/run/secrets/api-key")
    assert read_settings({**env, "FIREBREAK_SECRETS": ""}, FOLDER).key_file == FOLDER / "api-key"


def test_an_absolute_key_file_stays_as_it_is() -> None:
    assert read_settings({**GOOD, "PROVIDER_API_KEY_FILE": "/run/key"}, FOLDER).key_file == Path("/run/key")


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    env = {key: text for key, text in {**GOOD, name: value}.items() if text is not None}
    with pytest.raises(LoadError, match=f"env.{name} is missing"):
        read_settings(env, FOLDER)


@pytest.mark.parametrize(
    "address",
    ["https://models.example.com/v1", "http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1"],
)
def test_addresses_that_keep_the_key_safe(address: str) -> None:
    assert read_settings({**GOOD, "PROVIDER_BASE_URL": address}, FOLDER).base_url == address


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("models.example.com", "must be an address"),
        ("ftp://models.example.com", "must be an address"),
        ("https://", "must be an address"),
        ("http://models.example.com/v1", "must begin with https"),
        ("http://10.0.0.1/v1", "must begin with https"),
        ("http://localhost.example.com/v1", "must begin with https"),
        ("https://me:secret@models.example.com", "no user, password"),
        ("https://models.example.com/v1?key=secret", "no user, password"),
    ],
)
def test_addresses_that_do_not(address: str, wrong: str) -> None:
    with pytest.raises(LoadError, match=wrong) as caught:
        read_settings({**GOOD, "PROVIDER_BASE_URL": address}, FOLDER)
    assert "secret" not in str(caught.value)
