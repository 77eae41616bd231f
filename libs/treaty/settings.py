"""Settings from the environment, and from files for secrets: one frozen object; errors name the variable."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import unquote_plus, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

Role = Literal["all", "api", "followers", "consumers"]
"""The part of its contexts' work that a process does: answer calls and webhooks, do the work after each commit, or
handle events."""

DEVELOPMENT_SECRET = "for development only"  # noqa: S105 - refused in production
"""A public value; it is refused unless TREATY_ENVIRONMENT is dev."""

SIMULATED = "simulated"
"""The value of a setting that lets a simulator in this process stand for another system."""

_PRODUCTION = ("production", "prod")
_UNSAFE_OPTIONS = {
    "no_verify_ssl": "0",
    "tlsinsecure": "false",
    "tlsallowinvalidcertificates": "false",
    "tlsallowinvalidhostnames": "false",
}
"""Options of the addresses of RabbitMQ and MongoDB that switch the check of the server's certificate off, each with the
one value that does not."""

_SHORTEST_SECRET = 16
"""Characters of the shortest secret that is taken outside of dev."""


class SettingsError(Exception):
    """A variable is missing or its value is not valid."""


class Settings(BaseModel):
    """The base of settings: each field is read from the variable of its alias, or from the file `<alias>_FILE`."""

    model_config = ConfigDict(frozen=True)


class ProcessSettings(Settings):
    """The toolkit's own settings. Times are in seconds, sizes in bytes."""

    environment: str = Field("dev", alias="TREATY_ENVIRONMENT")
    mongodb_uri: SecretStr = Field(SecretStr(""), alias="MONGODB_URI")
    mongodb_driver: Literal["motor", "pymongo"] = Field("motor", alias="MONGODB_DRIVER")
    amqp_url: SecretStr = Field(SecretStr(""), alias="AMQP_URL")
    amqp_management_url: SecretStr = Field(SecretStr(""), alias="AMQP_MANAGEMENT_URL")
    digest_key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), alias="TREATY_DIGEST_KEY")
    digest_key_before: SecretStr = Field(SecretStr(""), alias="TREATY_DIGEST_KEY_BEFORE")
    seal_key: SecretStr = Field(SecretStr(""), alias="TREATY_SEAL_KEY")
    seal_anchors: str = Field("", alias="TREATY_SEAL_ANCHORS")
    seal_seconds: float = Field(60.0, alias="TREATY_SEAL_SECONDS", ge=0.1, le=86_400)
    contents: str = Field("", alias="TREATY_CONTENTS")
    contents_endpoint: str = Field("", alias="TREATY_CONTENTS_ENDPOINT")
    contents_region: str = Field("", alias="TREATY_CONTENTS_REGION")
    contents_key_id: str = Field("", alias="TREATY_CONTENTS_KEY_ID")
    contents_key: SecretStr = Field(SecretStr(""), alias="TREATY_CONTENTS_KEY")
    role: Role = Field("all", alias="TREATY_ROLE")
    partitions: int = Field(4, alias="TREATY_PARTITIONS", ge=1, le=64)
    lease_seconds: float = Field(5.0, alias="TREATY_LEASE_SECONDS", ge=0.3, le=300)
    inbox_wait_seconds: float = Field(600.0, alias="TREATY_INBOX_WAIT_SECONDS", ge=0, le=86_400)
    handler_seconds: float = Field(180.0, alias="TREATY_HANDLER_SECONDS", ge=0.1, le=1200)
    grpc_host: str = Field("0.0.0.0", alias="GRPC_HOST")
    grpc_port: int = Field(50051, alias="GRPC_PORT", ge=0, le=65535)
    grpc_listeners: int = Field(4, alias="GRPC_LISTENERS", ge=1, le=64)
    grpc_max_calls: int = Field(512, alias="GRPC_MAX_CALLS", ge=1)
    grpc_max_streams: int = Field(1000, alias="GRPC_MAX_STREAMS", ge=0)
    grpc_max_uploads: int = Field(32, alias="GRPC_MAX_UPLOADS", ge=0)
    grpc_max_upload_bytes: int = Field(104_857_600, alias="GRPC_MAX_UPLOAD_BYTES", ge=1024)
    grpc_upload_seconds: float = Field(300.0, alias="GRPC_UPLOAD_SECONDS", gt=0)
    grpc_max_unread: int = Field(128, alias="GRPC_MAX_UNREAD", ge=2)
    grpc_patience_seconds: float = Field(10.0, alias="GRPC_PATIENCE_SECONDS", ge=0.05, le=600)
    grpc_max_connections: int = Field(1024, alias="GRPC_MAX_CONNECTIONS", ge=1)
    grpc_max_calls_per_connection: int = Field(512, alias="GRPC_MAX_CALLS_PER_CONNECTION", ge=1)
    grpc_max_message_bytes: int = Field(1_048_576, alias="GRPC_MAX_MESSAGE_BYTES", ge=1024)
    grpc_deadline_seconds: float = Field(10.0, alias="GRPC_DEADLINE_SECONDS", gt=0)
    grpc_drain_seconds: float = Field(10.0, alias="GRPC_DRAIN_SECONDS", ge=0)
    health_port: int | None = Field(None, alias="HEALTH_PORT", ge=0, le=65535)
    http_host: str = Field("0.0.0.0", alias="HTTP_HOST")
    http_port: int = Field(8080, alias="HTTP_PORT", ge=0, le=65535)
    foreign_traces: bool = Field(True, alias="TREATY_FOREIGN_TRACES")
    http_max_unread: int = Field(400, alias="HTTP_MAX_UNREAD", ge=2)
    http_patience_seconds: float = Field(10.0, alias="HTTP_PATIENCE_SECONDS", ge=0.05, le=600)
    peers: str = Field("", alias="TREATY_PEERS", pattern=r"^$|^[^=,\s]+=[^=,\s]+(,[^=,\s]+=[^=,\s]+)*$")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", alias="LOG_LEVEL")
    log_format: Literal["json", "console"] = Field("json", alias="LOG_FORMAT")

    def address_of(self, context: str) -> str:
        """Returns the address of a context: from TREATY_PEERS, or the name of its Kubernetes service."""
        told = dict(pair.split("=", 1) for pair in self.peers.split(",") if pair)
        return told.get(context) or f"dns:///{context.replace('.', '-')}:50051"

    def require(self, *names: str) -> None:
        """Checks that each of the variables is set, and that AMQP_URL is an address; the driver checks MONGODB_URI.

        Raises:
            SettingsError: with the names of those that are missing or wrong, and without their values.
        """
        missing = [name for name in names if not _plain(getattr(self, name.lower()))]
        if missing:
            raise SettingsError(
                "; ".join(
                    f"{name} must be set, or {name}_FILE to the path of a file with its value" for name in missing
                )
            )
        if "AMQP_URL" in names and not _is_of_a_broker(self.amqp_url.get_secret_value()):
            raise SettingsError("AMQP_URL is not an address of RabbitMQ, such as amqp://guest:guest@127.0.0.1:5672/")


def _is_of_a_broker(url: str) -> bool:
    try:
        found = urlsplit(url)
        return found.scheme in ("amqp", "amqps") and bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


T = TypeVar("T", bound=Settings)


def read_settings(model: type[T], environ: Mapping[str, str]) -> T:
    """Reads the settings of a model from the environment.

    Raises:
        SettingsError: with every variable that is missing or wrong.
    """
    names = [field.alias or name for name, field in model.model_fields.items()]
    values = {name: value for name in names if (value := _value(name, environ)) is not None}
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors())
        raise SettingsError(problems) from None
    unfit = list(_unfit(settings, _value("TREATY_ENVIRONMENT", environ) or "dev"))
    if unfit:
        raise SettingsError("; ".join(unfit))
    return settings


def read_again(name: str, environ: Mapping[str, str], known: SecretStr) -> Callable[[], str]:
    """Returns a function that reads a secret when it is needed, because its file may have changed.

    Without a file the secret stays as it is known. A file that is empty or cannot be read now, as while it is being
    replaced, leaves the secret as it was read last.
    """
    last = known

    def read() -> str:
        nonlocal last
        if environ.get(f"{name}_FILE"):
            with contextlib.suppress(SettingsError):
                last = SecretStr(_value(name, environ) or last.get_secret_value())
        return last.get_secret_value()

    return read


def _unfit(settings: Settings, environment: str) -> Iterator[str]:
    """Yields a sentence for each value that is good for development only."""
    if environment == "dev":
        return
    for name, field in type(settings).model_fields.items():
        value, variable = getattr(settings, name), field.alias or name
        if isinstance(value, SecretStr):
            yield from _unfit_secret(variable, value.get_secret_value())
        elif value == SIMULATED and environment in _PRODUCTION:
            yield f"{variable} must be set: a simulated system is refused in production"


def _unfit_secret(variable: str, secret: str) -> Iterator[str]:
    for option, value in _options(secret):
        if value != _UNSAFE_OPTIONS.get(option.lower(), value):
            yield f"{variable} must not have the option {option}: the server could be anybody"
    if secret == DEVELOPMENT_SECRET:
        yield f"{variable} must be set, or {variable}_FILE to the path of a file with its value"
    elif secret and "://" not in secret and len(secret) < _SHORTEST_SECRET:
        yield f"{variable} must have at least {_SHORTEST_SECRET} characters, so that it cannot be guessed"


def _options(url: str) -> Iterator[tuple[str, str]]:
    """Yields the names and values of the options of a URL, as any of the drivers may take them."""
    for pair in re.split("[&;]", url.partition("?")[2]) if "://" in url else ():
        name, _, value = pair.partition("=")
        yield unquote_plus(name), unquote_plus(value)


def _value(name: str, environ: Mapping[str, str]) -> str | None:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name)
    if name in environ:
        raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them")
    try:
        return Path(path).read_text().rstrip("\n")
    except OSError as error:
        raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from None


def _sentence(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    what = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
