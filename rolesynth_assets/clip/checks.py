"""The checks of a finished checkpoint, as plain functions with their thresholds as arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rolesynth_assets.check_outcome import CheckOutcome


def loss_finite(losses: Sequence[float], steps: int) -> CheckOutcome:
    """Count the losses that are NaN or infinite; none may be, and each step must have one.

    Args:
        losses: one per optimiser step, nats.
        steps: optimiser steps of the training.
    """
    bad = [step for step, loss in enumerate(losses) if not math.isfinite(loss)]
    first = f", first at step {bad[0]}" if bad else ""
    return CheckOutcome(
        passed=len(losses) == steps and not bad,
        value=len(bad),
        threshold=0,
        description=f"{len(bad)} of {len(losses)} losses are not finite{first}."
        if steps
        else "The recipe has no steps: the model is the one that others start from.",
        metadata={"steps": len(losses), "first_bad_steps": bad[:10]},
    )


def loss_falls(
    losses: Sequence[float], steps: int, min_drop: float = 0.05, window_share: float = 0.1
) -> CheckOutcome:
    """Compare the mean loss of the last steps with that of the first ones.

    Args:
        losses: one per optimiser step, nats.
        steps: optimiser steps of the training.
        min_drop: smallest fall that passes, as a share of the first mean.
        window_share: share of the steps that is compared, at each end.
    """
    window = max(1, round(window_share * len(losses)))
    if not steps:
        return CheckOutcome(
            True, 0.0, min_drop, "The recipe has no steps, so there is no loss to fall."
        )
    if len(losses) < 2:
        return CheckOutcome(
            passed=False,
            value=0.0,
            threshold=min_drop,
            description=f"{len(losses)} steps are too few to see the loss fall.",
            metadata={"steps": len(losses)},
        )
    first = sum(losses[:window]) / window
    last = sum(losses[-window:]) / window
    drop = (first - last) / first if first > 0 else 0.0
    return CheckOutcome(
        passed=drop >= min_drop,  # False for NaN
        value=drop,
        threshold=min_drop,
        description=f"The loss went from {first:.3f} to {last:.3f}, a fall of {drop:.1%}.",
        metadata={"first": first, "last": last, "window_steps": window},
    )


def reload_reproduces(error: float, tolerance: float = 1e-3) -> CheckOutcome:
    """Hold the deviation of a reloaded checkpoint's logits against a tolerance.

    Args:
        error: largest absolute deviation, from `clip.checkpoint.save_load.reference_error`.
        tolerance: largest deviation that rounding on another machine explains; logits range over
            some tens.
    """
    return CheckOutcome(
        passed=error <= tolerance,  # False for NaN
        value=error,
        threshold=tolerance,
        description=f"The reloaded model's logits deviate from those stored by up to {error:.2e}.",
    )


def few_captions_cut(cut: int, captions: int, max_share: float = 0.05) -> CheckOutcome:
    """Count the captions whose end was cut off at the context length of the model.

    Args:
        cut: captions that are longer than the context.
        captions: distinct captions of the training.
        max_share: largest share of captions that passes.
    """
    share = cut / captions if captions else 0.0
    return CheckOutcome(
        passed=share <= max_share,
        value=share,
        threshold=max_share,
        description=f"{cut} of {captions} captions were cut at the context length, {share:.1%}; at "
        f"most {max_share:.1%} should be. A longer `context_length` keeps them whole.",
        metadata={"cut": cut, "captions": captions},
    )
