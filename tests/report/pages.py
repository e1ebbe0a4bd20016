"""A report's page, taken apart for tests."""

from pathlib import Path
from xml.etree import ElementTree


class Page:
    """A page taken apart; well-formed as XML, or it could not be."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.root = ElementTree.fromstring(self.source.removeprefix("<!DOCTYPE html>\n"))

    def section(self, id: str) -> ElementTree.Element:
        found = self.root.find(f"body/main/section[@id='{id}']")
        assert found is not None, id
        return found

    def text(self, id: str) -> str:
        """A section's text as one reads it, every space an ordinary one."""
        return " ".join("".join(self.section(id).itertext()).split())

    def pictures(self, id: str) -> int:
        return len(list(self.section(id).iter("svg")))

    def rows(self, id: str, caption: str) -> list[list[str]]:
        for table in self.section(id).iter("table"):
            if table.find("caption").text.startswith(caption):
                body = table.find("tbody")
                return [[" ".join(" ".join(c.itertext()).split()) for c in row] for row in body]
        raise AssertionError(f"no table {caption!r}")
