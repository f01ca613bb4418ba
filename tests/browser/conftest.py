"""A real browser, cut off from every network, for the tests of the built book."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from offline import HTML, PHONE, WIDE, Opened, watch

from pruning_phases_book.browser import NoBrowser, open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    try:
        with open_browser() as one:
            yield one
    except NoBrowser as error:
        pytest.skip(f"browser tests: {error}")


@contextlib.contextmanager
def opener(browser) -> Iterator[Callable[..., Opened]]:
    """A function that opens a page of the built book and waits until it is at rest; all that it opened is closed at the end."""
    contexts = []

    def opened(name: str, *, size: dict[str, int] = WIDE, dark: bool = False, script: bool = True) -> Opened:
        context = browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=script,
            has_touch=size == PHONE,
        )
        context.set_default_timeout(120_000)  # ms, for a busy machine
        contexts.append(context)
        result = Opened(context.new_page())
        watch(result)
        result.page.goto(f"{HTML.as_uri()}/{name}")
        if script:
            # MathJax sets `typesetting done`, and everything else of ours is done when the page has loaded
            result.page.wait_for_function(
                "!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)"
            )
        return result

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Opened]]:
    """`opener` for one test."""
    with opener(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def keep_page(browser) -> Iterator[Callable[..., Opened]]:
    """`opener` for pages that serve all tests of a file."""
    with opener(browser) as opened:
        yield opened
