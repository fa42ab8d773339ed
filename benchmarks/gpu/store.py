"""What is known so far, a line of JSON for each step as it comes: a run that ends early is continued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "steps.jsonl"


class Store:
    """Records by the keys of their steps. The last line of a key counts; one cut off by a kill does not."""

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.path = folder, folder / NAME
        if fresh:
            self.path.unlink(missing_ok=True)
        self.records: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:
                    continue
                self.records[record["key"]] = record
            self._end_line()

    def _end_line(self) -> None:
        """The next record begins on a line of its own."""
        text = self.path.read_bytes()
        if text and not text.endswith(b"\n"):
            self.path.write_bytes(text + b"\n")

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        return {key: record for key, record in self.records.items() if "cell" in record}

    def add(self, key: str, status: str, data: dict[str, Any], **more: Any) -> None:
        record = {"key": key, "status": status, "data": data, **more}
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.records[key] = record
