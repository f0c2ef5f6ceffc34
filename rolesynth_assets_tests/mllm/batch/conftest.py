import pytest


@pytest.fixture(autouse=True)
def _only_the_stub_server(monkeypatch):
    """No proxy of this machine is asked, and no key of its user is sent."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
