"""The proxy on the way to a server, and proxy variables that catch an address of this machine.

No proxy can find a server that listens on this machine alone.
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit
from urllib.request import (
    getproxies,
    getproxies_environment,
    proxy_bypass,
    proxy_bypass_environment,  # type: ignore[attr-defined]  # public, but in no stub
)

from rolesynth_assets.mllm.engine import EngineError


def proxy_for(base_url: str) -> str | None:
    """Return the address of the proxy for a server, with its login; None if there is none.

    Raises:
        EngineError: it is no HTTP proxy.
    """
    parts = urlsplit(base_url)
    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or proxy_bypass(f"{parts.hostname}:{parts.port or ''}".rstrip(":")):
        return None
    proxy = proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise EngineError(
            f"The variable {kind.upper()}_PROXY names a {urlsplit(proxy).scheme} proxy for "
            f"{base_url}, and only http and https proxies can be used. Set it to one of those, or "
            f"NO_PROXY={parts.hostname} if the server can be reached without."
        )
    return proxy


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
