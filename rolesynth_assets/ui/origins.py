"""Addresses under which browsers open the pages, as browsers write them in their requests."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from rolesynth_assets.addresses import HOST
from rolesynth_assets.errors import InputError

PORTS = {"http": 80, "https": 443}
"""Ports that a browser leaves out, by scheme."""


def origin_at(host: str, port: int, scheme: str = "http") -> str:
    """Return the origin of pages at a host and a port.

    Args:
        host: name or address, an IPv6 one with or without brackets.
        port: port.
        scheme: ``http`` or ``https``.
    """
    name = plain_host(host)
    shown = f"[{name.partition('%')[0]}]" if ":" in name else name  # no browser sends a zone
    return f"{scheme}://{shown}" + ("" if port == PORTS.get(scheme) else f":{port}")


def own_origins(host: str, port: int) -> list[str]:
    """Return the origins under which browsers open pages that are served at a host."""
    names = [HOST if host == "localhost" else host, "localhost"] if is_loopback(host) else [host]
    return [origin_at(name, port) for name in names]


def given_origin(address: str) -> str:
    """Return the origin of an address that a person gave, ``http://...`` or ``https://...``.

    Raises:
        InputError: it is no such address.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query:
        raise InputError(
            f"--origin {address} is no address of pages; it is a scheme, a host and perhaps a "
            "port, such as http://192.168.1.5:3100"
        )
    return origin_at(host, PORTS[parts.scheme] if port is None else port, parts.scheme)


def plain_host(host: str) -> str:
    """Return a host in lower case, an IPv6 address in its shortest form and without brackets."""
    name = host.strip().lower().removeprefix("[").removesuffix("]")
    try:
        found = ip_address(name)
    except ValueError:
        return name
    return str(found) if isinstance(found, IPv6Address) else name


def is_loopback(host: str) -> bool:
    """Return whether a host is one under which only this machine is reached."""
    return plain_host(host) in ("127.0.0.1", "localhost", "::1")
