import pytest

from rolesynth_assets.errors import InputError
from rolesynth_assets.ui.origins import (
    given_origin,
    is_loopback,
    origin_at,
    own_origins,
    plain_host,
)


@pytest.mark.parametrize(
    ("host", "port", "origin"),
    [
        ("::1", 3100, "http://[::1]:3100"),
        ("[::1]", 3100, "http://[::1]:3100"),
        ("2001:DB8:0:0::1", 3100, "http://[2001:db8::1]:3100"),
        ("fe80::1%eth0", 3100, "http://[fe80::1]:3100"),
        ("192.168.1.5", 80, "http://192.168.1.5"),
        ("MyBox", 3100, "http://mybox:3100"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(host: str, port: int, origin: str) -> None:
    assert origin_at(host, port) == origin
    assert own_origins(plain_host(host), port)[0] == origin


def test_pages_on_the_loopback_are_opened_under_the_address_that_is_served() -> None:
    assert own_origins("::1", 3100) == ["http://[::1]:3100", "http://localhost:3100"]
    for host in ("127.0.0.1", "localhost"):
        assert own_origins(host, 3100) == ["http://127.0.0.1:3100", "http://localhost:3100"]
    assert is_loopback("0:0:0:0:0:0:0:1")
    assert not is_loopback("192.168.1.5")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("http://Box:3100/", "http://box:3100"),
        ("https://box:443", "https://box"),
        ("http://[2001:DB8::0:1]:3100", "http://[2001:db8::1]:3100"),
    ],
)
def test_a_given_address_becomes_its_origin(given: str, origin: str) -> None:
    assert given_origin(given) == origin


@pytest.mark.parametrize(
    "given", ["", "box", "box:3100", "ftp://box", "http://", "http://box/pages", "http://[::1"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="--origin"):
        given_origin(given)
