"""Settings: from variables or files, and a mistake names its variable."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from treaty.settings import ProcessSettings, Settings, SettingsError, read_again, read_settings


class Wanted(Settings):
    name: str = Field(alias="WANTED_NAME")
    size: int = Field(3, alias="WANTED_SIZE", ge=1)


def test_values_come_from_their_variables() -> None:
    assert read_settings(Wanted, {"WANTED_NAME": "x", "WANTED_SIZE": "7", "OTHER": "y"}) == Wanted.model_validate(
        {"WANTED_NAME": "x", "WANTED_SIZE": 7}
    )


def test_a_variable_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    assert read_settings(Wanted, {"WANTED_NAME_FILE": str(tmp_path / "secret")}).name == "from a file"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"WANTED_NAME_FILE names .*/nothing, which cannot be read"):
        read_settings(Wanted, {"WANTED_NAME_FILE": str(tmp_path / "nothing")})


def test_a_variable_and_its_file_are_not_both_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="WANTED_NAME and WANTED_NAME_FILE are both set"):
        read_settings(Wanted, {"WANTED_NAME": "x", "WANTED_NAME_FILE": str(tmp_path)})


def test_every_variable_that_is_missing_or_wrong_is_named() -> None:
    with pytest.raises(SettingsError, match=r"WANTED_NAME: .*WANTED_SIZE: "):
        read_settings(Wanted, {"WANTED_SIZE": "-1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRPC_PORT", "port"),
        ("HEALTH_PORT", "70000"),
        ("GRPC_MAX_UNREAD", "1"),
        ("HTTP_PATIENCE_SECONDS", "0"),
        ("TREATY_PARTITIONS", "0"),
        ("MONGODB_DRIVER", "mysql"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_of_the_process_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(ProcessSettings, {name: value})


def test_outside_of_development_the_digest_key_must_be_set() -> None:
    with pytest.raises(SettingsError, match="TREATY_DIGEST_KEY"):
        read_settings(ProcessSettings, {"TREATY_ENVIRONMENT": "prod"})
    told = {"TREATY_ENVIRONMENT": "prod", "TREATY_DIGEST_KEY": "k" * 16, "MONGODB_URI": "mongodb://db"}
    assert read_settings(ProcessSettings, told).digest_key.get_secret_value() == "k" * 16


def test_a_secret_that_can_be_guessed_is_for_development_only() -> None:
    assert read_settings(ProcessSettings, {"TREATY_DIGEST_KEY": "k"})
    with pytest.raises(SettingsError, match="TREATY_DIGEST_KEY must have at least 16 characters"):
        read_settings(ProcessSettings, {"TREATY_ENVIRONMENT": "staging", "TREATY_DIGEST_KEY": "k" * 15})


@pytest.mark.parametrize(
    ("name", "url", "option"),
    [
        ("AMQP_URL", "amqps://a:b@mq/?heartbeat=5&no_verify_ssl=1", "no_verify_ssl"),
        ("MONGODB_URI", "mongodb://db/?tls=true&tlsInsecure=true", "tlsInsecure"),
        ("MONGODB_URI", "mongodb://db/?tlsAllowInvalidCertificates=True", "tlsAllowInvalidCertificates"),
        ("MONGODB_URI", "mongodb://db/?tls=true;tlsInsecure=true", "tlsInsecure"),
        ("AMQP_URL", "amqps://mq/?no%5Fverify_ssl=1", "no_verify_ssl"),
        ("AMQP_URL", "amqps://mq/?no_verify_ssl=%31", "no_verify_ssl"),
        ("AMQP_URL", "amqps://mq/?no_verify_ssl=false", "no_verify_ssl"),
        ("AMQP_URL", "amqps://mq/?no_verify_ssl=", "no_verify_ssl"),
        ("AMQP_URL", "amqps://mq/?no_verify_ssl", "no_verify_ssl"),
    ],
)
def test_outside_of_development_a_server_has_to_show_who_it_is(name: str, url: str, option: str) -> None:
    told = {name: url, "TREATY_DIGEST_KEY": "k" * 16}
    assert read_settings(ProcessSettings, told)
    with pytest.raises(SettingsError, match=f"{name} must not have the option {option}: the server could be anybody"):
        read_settings(ProcessSettings, {**told, "TREATY_ENVIRONMENT": "staging"})


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("AMQP_URL", "amqp://a:b@mq/?heartbeat=5&no_verify_ssl=0"),
        ("MONGODB_URI", "mongodb://db/?tls=true&tlsInsecure=false"),
    ],
)
def test_an_option_that_leaves_the_check_on_is_harmless(name: str, url: str) -> None:
    told = {name: url, "TREATY_DIGEST_KEY": "k" * 16, "TREATY_ENVIRONMENT": "staging"}
    assert read_settings(ProcessSettings, told)


def test_production_refuses_simulated_systems_and_says_so_of_each() -> None:
    class Shop(Settings):
        gateway: str = Field("simulated", alias="SHOP_GATEWAY")
        carrier: str = Field("simulated", alias="SHOP_CARRIER")

    assert read_settings(Shop, {"TREATY_ENVIRONMENT": "staging"}).gateway == "simulated"
    for environment in ("production", "prod"):
        with pytest.raises(SettingsError) as refused:
            read_settings(Shop, {"TREATY_ENVIRONMENT": environment, "SHOP_CARRIER": "https://carrier"})
        assert str(refused.value) == "SHOP_GATEWAY must be set: a simulated system is refused in production"


def test_settings_do_not_show_secrets_and_do_not_change() -> None:
    settings = read_settings(ProcessSettings, {"MONGODB_URI": "mongodb://ann:hush@db"})
    assert "hush" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.grpc_port = 1


def test_a_secret_is_read_from_its_file_whenever_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("first\n")
    read = read_again("AMQP_URL", {"AMQP_URL_FILE": str(file)}, SecretStr("first"))
    assert read() == "first"
    file.write_text("second\n")
    assert read() == "second"


def test_a_secret_whose_file_is_just_being_replaced_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("second")
    read = read_again("AMQP_URL", {"AMQP_URL_FILE": str(file)}, SecretStr("first"))
    assert read() == "second"
    file.write_text("")
    assert read() == "second"
    file.unlink()
    assert read() == "second"


def test_a_secret_without_a_file_stays_as_it_is() -> None:
    environ = {"AMQP_URL": "first"}
    read = read_again("AMQP_URL", environ, SecretStr("first"))
    environ["AMQP_URL"] = "second"
    assert read() == "first"
