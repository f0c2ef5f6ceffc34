"""Which Chromium the browser tests take, and what is tried where there is none."""

from pathlib import Path

import pytest

from rolesynth_assets_tests.browser import chromium


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; Playwright has no browser of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "_of_playwright", lambda: None)
    return tmp_path


def program(folder: Path, name: str, does: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)
    return str(file)


def test_stub_that_does_not_start_is_passed_over(path: Path) -> None:
    program(path, "chromium", "echo install the snap >&2; exit 1")
    browser = program(path, "google-chrome", "echo Chrome")
    assert chromium.find_chromium() == browser


def test_packages_are_asked_first_and_what_they_install_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
    program(path, "env", 'shift; exec "$@"')
    says = f'printf "#!/bin/sh\\n" > {path}/chromium; /bin/chmod +x {path}/chromium'
    program(path, "apt-get", f'[ "$2" = update ] || {{ {says}; }}')
    assert chromium.install_chromium() == str(path / "chromium")


def test_nothing_to_install_from_is_no_browser(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium.sys, "executable", program(path, "python", "exit 1"))
    assert chromium.find_chromium() is None
    assert chromium.install_chromium() is None
