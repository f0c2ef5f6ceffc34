"""The contrastive losses: InfoNCE and the paper's multi-positive loss, in any layout of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rolesynth_assets.clip.recipe import Loss


def multi_positive_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor,
    image_groups: Tensor,
    text_groups: Tensor,
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

    Returns:
        Scalar loss in nats, float32 or wider.

    Raises:
        ValueError: an image of the batch has no text in the batch, or a text no image.
    """
    positive = image_groups[:, None] == text_groups[None, :]
    if not (positive.any(dim=1).all() and positive.any(dim=0).all()):
        raise ValueError(
            "The batch has an image without a text or a text without an image; every row needs at "
            "least one positive."
        )
    logits = _logits(image_features, text_features, logit_scale)
    positive = positive.to(logits.dtype)
    return (_soft_cross_entropy(logits, positive) + _soft_cross_entropy(logits.T, positive.T)) / 2


def info_nce_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor) -> Tensor:
    """Symmetric InfoNCE: row i's only positive is text i, as in CLIP.

    Args:
        image_features: (B, D), of unit length.
        text_features: (B, D), of unit length; text i describes image i.
        logit_scale: scalar 1 / tau.

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
    logits = _logits(image_features, text_features, logit_scale)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""From image features (N, D), text features (M, D), both of unit length, 1 / tau, image groups (N,)
and text groups (M,) to the scalar loss in nats."""

LOSS_FUNCTIONS: Mapping[Loss, LossFunction] = {
    Loss.MULTI_POSITIVE: multi_positive_loss,
    Loss.INFONCE: lambda images, texts, scale, *_: info_nce_loss(images, texts, scale),
}
"""The function of every loss that a recipe can name."""


def _logits(image_features: Tensor, text_features: Tensor, logit_scale: Tensor) -> Tensor:
    """Return the (N, M) similarities over tau in float32 or wider, also under autocast."""
    with torch.autocast(image_features.device.type, enabled=False):
        wide = torch.promote_types(image_features.dtype, torch.float32)
        return logit_scale.to(wide) * image_features.to(wide) @ text_features.to(wide).T


def _soft_cross_entropy(logits: Tensor, positive: Tensor) -> Tensor:
    """Return the mean over rows of the cross-entropy against evenly weighted positives."""
    weights = positive / positive.sum(dim=1, keepdim=True)
    return -(weights * logits.log_softmax(dim=1)).sum(dim=1).mean()
