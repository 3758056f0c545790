"""Results as files: written completely or not at all, with the same bytes for the same values.

JSON is sorted and rounded, CSV has fixed formats and LF line ends. `charts.py` makes pictures,
`models.py` writes models.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

DIGITS = 6


def write(path: Path, content: bytes) -> None:
    """Write a file and its folders; a reader sees the whole file, or the one before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON: keys sorted, fractions rounded to six digits."""
    text = json.dumps(_rounded(values), indent=2, sort_keys=True, ensure_ascii=False)
    write(path, f"{text}\n".encode())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV: fractions with six digits, LF line ends, no index."""
    text = table.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}f")
    write(path, text.encode())
