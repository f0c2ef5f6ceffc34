from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.captions.lengths import (
    DEFAULT_POLICY,
    CaptionPolicy,
    LengthKind,
    LengthRule,
)
from rolesynth_assets.captions.wanted_captions import wanted
from rolesynth_assets.mllm.engine import ModelIdentity, Sampling
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.digests import digest

MODEL = ModelIdentity("openai", "qwen", "r1")
TEMPLATES = PromptTemplates(long="{responsibilities} long", short="{responsibilities} short")

texts = st.text("abcdef' ", min_size=1, max_size=8).filter(str.strip)
role_texts = st.lists(texts, min_size=1, max_size=4, unique_by=lambda text: " ".join(text.split()))
image_ids = st.lists(st.text("0123456789abcdef", min_size=4, max_size=8), unique=True, max_size=4)


def make_role(responsibilities: str, name: str = "Observer") -> Role:
    return Role(name=name, responsibilities=responsibilities, templates=TEMPLATES, system="Write.")


@given(image_ids, role_texts)
def test_one_caption_per_image_role_and_length_image_by_image(
    images: list[str], duties: list[str]
) -> None:
    captions = wanted(images, [make_role(text) for text in duties], MODEL, DEFAULT_POLICY)
    assert len(captions) == len(images) * len(duties) * 2
    assert len({caption.caption_id for caption in captions}) == len(captions)
    assert [key for key, _ in groupby(caption.image_id for caption in captions)] == images


@given(image_ids, role_texts, texts)
def test_changing_one_role_changes_the_ids_of_that_role_only(
    images: list[str], duties: list[str], other: str
) -> None:
    roles = [make_role(text) for text in duties]
    changed = [make_role(f"{roles[0].responsibilities} {other}"), *roles[1:]]
    before = wanted(images, roles, MODEL, DEFAULT_POLICY)
    after = wanted(images, changed, MODEL, DEFAULT_POLICY)
    for old, new in zip(before, after, strict=True):
        assert (old.caption_id == new.caption_id) == (old.role is not roles[0])


def test_the_id_is_the_published_hash() -> None:
    role = make_role("Name each object.")
    caption = wanted(["ab" * 32], [role], MODEL, DEFAULT_POLICY)[1]
    seed = int(digest("ab" * 32, role.fingerprint, "short")[:8], 16) % 2**31
    assert caption.seed == seed
    assert caption.caption_id == digest(
        "caption",
        "ab" * 32,
        role.fingerprint,
        "short",
        digest("model", "qwen", "r1"),
        DEFAULT_POLICY[LengthKind.SHORT].sampling.fingerprint(),
        str(seed),
    )


def test_model_revision_and_sampling_are_part_of_the_identity_and_the_engine_is_not() -> None:
    role = make_role("Name each object.")
    warm = CaptionPolicy((LengthRule(LengthKind.LONG, 10, 250, Sampling(1.0, 0.9, 200)),))
    default = CaptionPolicy((DEFAULT_POLICY[LengthKind.LONG],))

    def one(identity: ModelIdentity, policy: CaptionPolicy) -> str:
        return wanted(["ab"], [role], identity, policy)[0].caption_id

    first = one(MODEL, default)
    assert one(ModelIdentity("openai", "qwen", "r2"), default) != first
    assert one(MODEL, warm) != first
    assert one(ModelIdentity("vllm", "qwen", "r1"), default) == first
