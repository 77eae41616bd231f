"""The texts and the dates of files, cleaned and bounded, and the warnings about an inspection."""

import re
from datetime import date, datetime

MAX_WARNINGS = 10
MAX_TEXT = 500
MAX_CAPTION = 2000
MAX_KEYWORDS = 100

_NEITHER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|[\ud800-\udfff]")
_EXIF_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


class Notes:
    """Collects warnings: sentences, each once, at most MAX_WARNINGS of them."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}

    def warn(self, sentence: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings[sentence[:MAX_TEXT]] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)


def clean(text: str, longest: int = MAX_TEXT) -> str:
    """Returns a text without NULs, control characters, halves of characters and blanks around it."""
    return _NEITHER.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()[:longest].rstrip()


def decoded(data: bytes) -> str:
    """Returns the text of bytes in UTF-8, or else in Windows-1252, in which every other byte is a character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def distinct(texts: list[str]) -> tuple[str, ...]:
    """Returns the texts that are not empty, cleaned, each once, at most MAX_KEYWORDS."""
    return tuple(dict.fromkeys(text for text in map(clean, texts) if text))[:MAX_KEYWORDS]


def exif_date(text: str, offset: str, notes: Notes) -> str:
    """Returns a date such as 2024:05:31 18:30:00 in ISO 8601, or an empty text if it is none.

    Cameras without a clock write blanks or zeros; other texts that are no date are worth a warning.
    """
    found = _EXIF_DATE.fullmatch(clean(text))
    if found:
        try:
            moment = datetime(*map(int, found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:
            moment = None
        if moment is not None:
            return moment.isoformat() + (clean(offset) if _OFFSET.fullmatch(clean(offset)) else "")
    if re.search(r"[1-9]", text):
        notes.warn("The date in the EXIF data is no date.")
    return ""


def iso_date(text: str, where: str, notes: Notes) -> str:
    """Returns a date, or date and time, that is ISO 8601 in full, or an empty text if it is not."""
    text = clean(text)
    if _ISO.fullmatch(text):
        try:
            _ = datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
        except ValueError:
            pass
        else:
            return text
    if text:
        notes.warn(f"The date in the {where} data is no full date.")
    return ""
