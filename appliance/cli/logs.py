"""Log lines on stderr, as text or JSON, or into systemd's journal. Never transcripts, nor what a
caller sent but for the names of its calls and requests."""

from __future__ import annotations

import json
import logging
import sys

from appliance.log_fields import log_fields
from appliance.settings.watching import LogSettings

IDENTIFIER = "lingting"
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # as syslog has them
DEBUG_PRIORITY = 7
OURS = {"appliance", "inference", IDENTIFIER}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name.lower(): value for name, value in log_fields().items()},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class JournalHandler(logging.Handler):
    """Into the journal: `journalctl CALL_NAME=...` finds all lines of a call."""

    def emit(self, record: logging.LogRecord) -> None:
        from systemd import journal  # only a box that systemd runs has it

        try:
            journal.send(
                self.format(record),
                PRIORITY=str(priority(record.levelno)),
                SYSLOG_IDENTIFIER=IDENTIFIER,
                LOGGER=record.name,
                TEMPLATE=template(record),
                **log_fields(),
            )
        except Exception:
            self.handleError(record)


def template(record: logging.LogRecord) -> str:
    """For support bundles: a line of ours as it stands in the source. Others' may quote callers."""
    return str(record.msg) if record.name.partition(".")[0] in OURS else ""


def priority(level: int) -> int:
    """Python's level -> syslog's."""
    return next((syslog for least, syslog in PRIORITIES if level >= least), DEBUG_PRIORITY)


def set_up_logs(settings: LogSettings) -> None:
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if settings.format == "journal":
        handler = JournalHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
    elif settings.format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        form = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
        handler.setFormatter(logging.Formatter(form))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # we say ourselves when doors open
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # no collector: no news
