"""Sensors and schedules whose description is their docstring, as it is for assets and jobs."""

import inspect
from collections.abc import Callable
from typing import Any


def described(define: Callable[..., Any], **settings: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate as `dg.sensor` or `dg.schedule` does, which leave the description empty.

    Args:
        define: the decorator.
        settings: its arguments.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return define(description=inspect.getdoc(function), **settings)(function)

    return decorate
