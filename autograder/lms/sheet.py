"""CSV files as spreadsheets and learning management systems write them, and nothing in them that a spreadsheet runs."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import CourseError

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def no_formula(value: Any) -> Any:
    """A spreadsheet must not run what a student wrote; a number stays a number.

    OWASP's advice on CSV injection: a quotation mark before a first character that starts a formula, and the same
    after a separator at which another country's spreadsheet may cut a cell.
    """
    if not isinstance(value, str) or NUMBER.fullmatch(value):
        return value
    text = re.sub(r"([;\t\r\n]\s*)(?=[=+\-@＝＋－＠])", r"\1'", value)
    return f"'{text}" if FORMULA.match(text) else text


SEPARATOR = re.compile(r"\"?sep=([,;\t])\"?\r?\n", re.I)
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how spreadsheets write "Unicode text"


@dataclass
class Sheet:
    """The cells of a CSV file, and how it was written."""

    rows: list[list[Any]]
    delimiter: str = ","
    has_mark: bool = False  # begins with the byte order mark, which Excel needs and both importers allow

    @classmethod
    def read(cls, path: Path) -> Sheet:
        try:
            data = path.read_bytes()
            if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
                raise CourseError(f"{path}: a workbook, not a CSV file: save it from there as \"CSV UTF-8\"")
            text = data.decode("utf-16" if data[:2] in UTF16 else "utf-8-sig")
        except OSError as error:
            raise CourseError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            how = 'take the file as it was exported, or save it as "CSV UTF-8"'
            raise CourseError(f"{path}: not in UTF-8: {how}") from error
        told = SEPARATOR.match(text)  # how Excel is told: a line before the headings
        text = text[told.end() :] if told else text
        first = text.split("\n", 1)[0]
        most = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
        delimiter = told[1] if told else most
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise CourseError(f"{path}: not a CSV file ({error})") from error
        if not rows:
            raise CourseError(f"{path}: the file is empty: export it again")
        return cls(rows, delimiter, data[:2] in UTF16 or data.startswith(codecs.BOM_UTF8))

    def write(self, path: Path) -> None:
        try:
            with path.open("w", encoding="utf-8-sig" if self.has_mark else "utf-8", newline="") as file:
                csv.writer(file, delimiter=self.delimiter).writerows(self.rows)
        except OSError as error:
            raise CourseError(f"{path}: cannot be written ({error.strerror})") from error

    def column(self, *names: str) -> int | None:
        """The first column with one of these headings."""
        return next((i for i, cell in enumerate(self.rows[0]) if cell.strip() in names), None)

    def cell(self, row: int, column: int | None) -> str:
        cells = self.rows[row]
        return str(cells[column]).strip() if column is not None and column < len(cells) else ""

    def set(self, row: int, column: int, value: str) -> None:
        cells = self.rows[row]
        cells.extend([""] * (column + 1 - len(cells)))
        cells[column] = value


def number_in(text: str) -> float | None:
    """A number as either decimal mark writes it; None where it is none."""
    text = text.strip().replace(",", ".")
    return float(text) if NUMBER.fullmatch(text) else None
