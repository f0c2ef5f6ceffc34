"""Proxy variables that catch an address of this machine, where no proxy can find the server."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit
from urllib.request import (
    getproxies_environment,
    proxy_bypass_environment,  # type: ignore[attr-defined]  # public, but in no stub
)


def proxy_in_the_way(base_url: str) -> str:
    """Return a note on the proxy variable that catches a loopback address; empty if none does.

    The note has the proxy's host and never its login.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not _is_here(host):
        return ""
    proxies = getproxies_environment()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or proxy_bypass_environment(f"{host}:{parts.port or ''}".rstrip(":"), proxies):
        return ""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    variable = next((name for name in names if os.environ.get(name)), names[1])
    proxy = urlsplit(proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}")
    where = (proxy.hostname or "a proxy") + (f":{proxy.port}" if proxy.port else "")
    return (
        f"the variable {variable} sends requests for {host} through the proxy {where}; set "
        f"NO_PROXY={host} (and no_proxy) if the server is on this machine"
    )


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
