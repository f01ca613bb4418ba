"""What the browser tests share: sizes of screens, and a record of what a page asks for and complains of."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pruning_phases.notebooks import REPOSITORY

HTML = REPOSITORY / "_build" / "html"
WIDE, PHONE = {"width": 1300, "height": 900}, {"width": 390, "height": 844}


@dataclass
class Opened:
    """A page in the browser, with what happened while it was loaded."""

    page: object
    errors: list[str] = field(default_factory=list)
    """Messages of level error in the console, uncaught exceptions, requests that failed."""
    elsewhere: list[str] = field(default_factory=list)
    """Addresses asked for that are not files of the book."""
    files: set[Path] = field(default_factory=set)

    def weight(self) -> float:
        """MB of all files loaded."""
        return sum(path.stat().st_size for path in self.files if path.is_file()) / 1e6


def watch(opened: Opened) -> None:
    """Collect what the page says and asks for."""

    def asked(request) -> None:
        address = urlsplit(request.url)
        if address.scheme == "file":
            opened.files.add(Path(unquote(address.path)))
        elif address.scheme not in ("data", "blob"):
            opened.elsewhere.append(request.url)

    page = opened.page
    page.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    page.on("requestfailed", lambda request: opened.errors.append(f"not loaded: {request.url}"))
    page.on("request", asked)
