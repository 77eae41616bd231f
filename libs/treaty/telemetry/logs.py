"""Log lines: JSON for machines or columns for people. A line has its trace and its cause, but no secrets."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from opentelemetry.trace import get_current_span
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from treaty.causes import Cause, current_cause
from treaty.telemetry.redaction import HIDDEN, is_secret, without_credentials
from treaty.telemetry.traceparent import ids_of, render

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]
Line = MutableMapping[str, Any]


def configure_logging(
    level: Level = "info", format: Format = "json", *, context: str = "", stream: TextIO | None = None
) -> None:
    """Configures the log lines of this process: the toolkit's from `level` on, the libraries' from WARNING on.

    Args:
        context: the context that the process runs, such as commerce.ordering; it is on every line.
        stream: the target of the lines; standard error by default.
    """
    out = stream or sys.stderr
    shared, ending = _beginning(context), _ending(format, out)
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[_add_logger, *shared], processors=[ProcessorFormatter.remove_processors_meta, *ending]
        )
    )
    handler.addFilter(_without_bodies)
    handler.addFilter(_without_traces_of_requests)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


_CLIENTS_OF_THE_BROKER = ("aiormq", "aio_pika")


def _without_bodies(record: logging.LogRecord) -> bool:
    """Removes messages from the lines of the broker's client, which show their whole bodies."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name.startswith(_CLIENTS_OF_THE_BROKER) and isinstance(record.args, tuple):
        record.args = tuple(
            value if isinstance(value, str | int | float) else type(value).__name__ for value in record.args
        )
    if error is not None and type(error).__module__.startswith(_CLIENTS_OF_THE_BROKER):
        record.msg, record.args = f"{str(record.msg).splitlines()[0]}: {type(error).__name__}", ()
        record.exc_info = record.exc_text = None
    return True


def _without_traces_of_requests(record: logging.LogRecord) -> bool:
    """Makes a short warning of a request that is no valid HTTP, which is a fault of its sender.

    aiohttp writes a traceback with the bytes of the request for each one, and anybody can send them.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__ == "aiohttp.http_exceptions":
        record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}", ()
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


def _beginning(context: str) -> list[Processor]:
    def add_context(logger: Any, method: str, line: Line) -> Line:
        if context:
            line["context"] = context
        return line

    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_context,
        _add_trace_and_cause,
    ]


def _ending(format: Format, out: TextIO) -> list[Processor]:
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if format == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=out.isatty(), timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
        )
    return [structlog.processors.format_exc_info, _hide_secrets, renderer]


def _add_logger(logger: Any, method: str, line: Line) -> Line:
    line["logger"] = line["_record"].name
    return line


def _add_trace_and_cause(logger: Any, method: str, line: Line) -> Line:
    """Adds the ids of the line's trace and of the request that it belongs to."""
    cause = _cause()
    trace = render(get_current_span().get_span_context()) or (cause.trace if cause else "")
    trace_id, span_id = ids_of(trace)
    if trace_id:
        line["trace_id"], line["span_id"] = trace_id, span_id
    if cause is not None:
        line["correlation_id"], line["cause_id"] = cause.correlation or cause.id, cause.id
    return line


def _cause() -> Cause | None:
    try:
        return current_cause()
    except RuntimeError:
        return None


def _hide_secrets(logger: Any, method: str, line: Line) -> Line:
    return {name: _shown(name, value) for name, value in line.items()}


def _shown(name: str, value: Any) -> Any:
    if is_secret(name):
        return HIDDEN
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, Mapping):
        return {key: _shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", inner) for inner in value]
    return value if isinstance(value, int | float | None) else without_credentials(str(value))
