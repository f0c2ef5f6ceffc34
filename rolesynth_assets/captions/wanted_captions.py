"""The captions that a shard should have, and the identity of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.captions.lengths import DEFAULT_POLICY, CaptionPolicy, LengthRule
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.digests import digest, seed_from

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader


@dataclass(frozen=True, slots=True)
class WantedCaption:
    """One wanted caption: its image, its role, its length kind and its identity.

    Attributes:
        caption_id: key of the row, 64 hex characters.
        image_id: sha256 of the image's source bytes, hex.
        role: the role that writes it.
        rule: the length kind with its bounds and sampling.
        seed: sampling seed, derived from image, role and length.
    """

    caption_id: str
    image_id: str
    role: Role
    rule: LengthRule
    seed: int

    @property
    def key(self) -> str:
        """The key of the row and of its request."""
        return self.caption_id


def wanted(
    images: Sequence[str], roles: Sequence[Role], identity: ModelIdentity, policy: CaptionPolicy
) -> list[WantedCaption]:
    """List one caption per (image, role, length), image by image.

    All captions of an image are consecutive, so that a server can reuse its computation for the
    image from one request to the next (prefix caching).

    Args:
        images: image ids, in the order in which they are captioned.
        roles: the role set's roles.
        identity: the captioning model; its name and revision are part of a caption's identity.
        policy: length kinds and sampling.

    Returns:
        len(images) * len(roles) * len(policy.rules) captions.
    """
    model = identity.fingerprint()
    kinds = [
        (role, role.fingerprint, rule, str(rule.kind), rule.sampling.fingerprint())
        for role in roles
        for rule in policy
    ]
    captions = []
    for image_id in images:
        for role, fingerprint, rule, length, sampling in kinds:
            seed = seed_from(image_id, fingerprint, length)
            caption_id = digest(
                "caption", image_id, fingerprint, length, model, sampling, str(seed)
            )
            captions.append(WantedCaption(caption_id, image_id, role, rule, seed))
    return captions


def wanted_ids(
    store: "StoreReader",
    partition: Mapping[str, str],
    identity: ModelIdentity,
    policy: CaptionPolicy = DEFAULT_POLICY,
) -> list[str]:
    """Return the ids of the captions that a partition is to hold, given what is stored now.

    Args:
        store: holds the images and the roles.
        partition: shard and role set.
        identity: the captioning model.
        policy: length kinds and sampling.
    """
    from rolesynth_assets.roles.rows import roles_from_rows

    images = store.read("images", {"shard": partition["shard"]}, ["image_id"])["image_id"]
    roles = roles_from_rows(store.read("roles", {"role_set": partition["role_set"]}))
    captions = wanted(images.to_pylist(), roles, identity, policy)
    return [caption.caption_id for caption in captions]
