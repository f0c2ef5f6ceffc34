"""The contrastive losses: InfoNCE and the paper's multi-positive loss, in any layout of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from rolesynth_assets.clip.ranks.share import Share
from rolesynth_assets.clip.recipe import Loss


def multi_positive_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor,
    image_groups: Tensor,
    text_groups: Tensor,
    share: Share | None = None,
) -> Tensor:
    """Cross-entropy against all texts of an image at once (the paper's multi-positive loss).

    With ``M[i, j] = 1`` when text j belongs to the image of row i,
    ``L_i2t = -(1/N) sum_i sum_j (M[i, j] / sum_k M[i, k]) log softmax_j(s_i. / tau)``; L_t2i is the
    same on the transposed matrices, and the loss is the mean of both.

    One formula serves both layouts. *Square*: one row per (image, caption) pair, so an image may
    occur in several rows. *Rectangular*: N distinct images against the captions of all of them,
    where images may have different numbers of captions.

    In the square layout the rows of one image have the same features, so averaging over positives
    changes nothing: the loss equals `info_nce_loss` in value and gradient. In the rectangular
    layout it has the gradient of InfoNCE over repeated images if all images of the batch have
    equally many captions; otherwise it gives each image the same weight from image to text.

    Args:
        image_features: (N, D), of unit length.
        text_features: (M, D), of unit length.
        logit_scale: scalar 1 / tau.
        image_groups: (N,) integers, equal for rows of one image.
        text_groups: (M,) integers, the group of the image each text describes.
        share: rows whose terms of both sums are added here; the values of all shares add up to the
            loss. None is all rows.

    Returns:
        Scalar loss in nats, float32 or wider.

    Raises:
        ValueError: an image of the batch has no text in the batch, or a text no image.
    """
    i2t, t2i = _both_ways(image_features, text_features, logit_scale, share)
    own_images, own_texts = _own(image_groups, text_groups, share)
    return (
        _soft_cross_entropy(i2t, own_images[:, None] == text_groups) / len(image_groups)
        + _soft_cross_entropy(t2i, own_texts[:, None] == image_groups) / len(text_groups)
    ) / 2


def info_nce_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor,
    share: Share | None = None,
) -> Tensor:
    """Symmetric InfoNCE: row i's only positive is text i, as in CLIP.

    Args:
        image_features: (B, D), of unit length.
        text_features: (B, D), of unit length; text i describes image i.
        logit_scale: scalar 1 / tau.
        share: rows whose terms are added here, as for `multi_positive_loss`.

    Returns:
        Scalar loss in nats, float32 or wider.

    Raises:
        ValueError: the batch does not have exactly one text per image row.
    """
    if image_features.shape[0] != text_features.shape[0]:
        raise ValueError(
            f"InfoNCE pairs row i with text i, but got {image_features.shape[0]} images and "
            f"{text_features.shape[0]} texts; use the multi-positive loss for several captions."
        )
    rows = torch.arange(len(image_features), device=image_features.device)
    both = zip(
        _both_ways(image_features, text_features, logit_scale, share),
        _own(rows, rows, share),
        strict=True,
    )
    terms = [F.cross_entropy(logits, own, reduction="sum") for logits, own in both]
    return (terms[0] + terms[1]) / len(rows) / 2


class LossFunction(Protocol):
    """A loss in nats of features of unit length."""

    def __call__(
        self,
        image_features: Tensor,
        text_features: Tensor,
        logit_scale: Tensor,
        image_groups: Tensor,
        text_groups: Tensor,
        share: Share | None = None,
        /,
    ) -> Tensor:
        """Return the loss of a batch or of a share; see `multi_positive_loss`."""
        ...


LOSS_FUNCTIONS: Mapping[Loss, LossFunction] = {
    Loss.MULTI_POSITIVE: multi_positive_loss,
    Loss.INFONCE: lambda images, texts, scale, _, __, share=None: info_nce_loss(
        images, texts, scale, share
    ),
}
"""The function of every loss that a recipe can name."""


def _both_ways(
    images: Tensor, texts: Tensor, scale: Tensor, share: Share | None
) -> tuple[Tensor, Tensor]:
    """Return the logits from images to texts and from texts to images, of a share's rows."""
    if share is None:
        logits = _logits(images, texts, scale)
        return logits, logits.T
    return (
        _logits(images[share.images], texts, scale),
        _logits(texts[share.texts], images, scale),
    )


def _own(images: Tensor, texts: Tensor, share: Share | None) -> tuple[Tensor, Tensor]:
    """Return what belongs to a share's rows."""
    return (images, texts) if share is None else (images[share.images], texts[share.texts])


def _logits(rows: Tensor, others: Tensor, logit_scale: Tensor) -> Tensor:
    """Return the similarities over tau in float32 or wider, also under autocast."""
    with torch.autocast(rows.device.type, enabled=False):
        wide = torch.promote_types(rows.dtype, torch.float32)
        return logit_scale.to(wide) * rows.to(wide) @ others.to(wide).T


def _soft_cross_entropy(logits: Tensor, positive: Tensor) -> Tensor:
    """Return the sum over rows of the cross-entropy against evenly weighted positives."""
    if not positive.any(dim=1).all():
        raise ValueError(
            "The batch has an image without a text or a text without an image; every row needs at "
            "least one positive."
        )
    weights = positive.to(logits.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return -(weights * logits.log_softmax(dim=1)).sum()
