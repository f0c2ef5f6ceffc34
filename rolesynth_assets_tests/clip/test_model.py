import logging

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from rolesynth_assets.clip.features.trimmed_text import encode_text
from rolesynth_assets.clip.model import ModelError, build_model, freeze_positions
from rolesynth_assets.clip.optim import learning_rate, make_optimizer
from rolesynth_assets.clip.positions import stretch
from rolesynth_assets.clip.recipe import Optimizer


def built(recipe, seed=0):
    torch.manual_seed(seed)
    return build_model(recipe)


@pytest.fixture
def weights_of_77(make_recipe, tmp_path):
    """A weights file as someone's pretraining at 77 tokens would leave it."""
    model = built(make_recipe(context_length=77)).module
    path = tmp_path / "pretrained.safetensors"
    save_file({k: v.clone() for k, v in model.state_dict().items()}, path)
    return path, model


def test_random_weights_that_were_asked_for_are_no_warning(make_recipe, monkeypatch, caplog):
    create = open_clip.create_model

    def also_warn(*arguments, **options):
        logging.warning("something else")
        return create(*arguments, **options)

    monkeypatch.setattr(open_clip, "create_model", also_warn)
    built(make_recipe(init="random"))
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "something else"
    ]
    create(make_recipe().model, pretrained=None)
    assert caplog.records[-1].getMessage().startswith("No pretrained weights loaded for model")


def test_loaded_weights_are_kept_and_their_positions_stretched(weights_of_77, make_recipe):
    path, short = weights_of_77
    long = build_model(make_recipe(init=str(path))).module
    assert torch.equal(long.positional_embedding, stretch(short.positional_embedding))
    assert long.attn_mask.shape == (248, 248)
    for name, tensor in short.state_dict().items():
        if name != "positional_embedding":
            assert torch.equal(long.state_dict()[name], tensor), name


def test_a_stretched_model_reads_a_short_caption_as_before(weights_of_77, make_recipe):
    path, short = weights_of_77
    model = build_model(make_recipe(init=str(path)))
    long = model.module.eval()
    tokens = model.tokenizer(["a red wall with a door"])  # ends within the 20 kept positions
    assert tokens.shape == (1, 248)
    with torch.no_grad():
        wanted = short.eval().encode_text(tokens[:, :77])
        torch.testing.assert_close(long.encode_text(tokens), wanted, rtol=0, atol=1e-5)
        torch.testing.assert_close(encode_text(long, tokens), wanted, rtol=0, atol=1e-5)


def test_a_file_of_248_positions_is_loaded_as_it_is(make_recipe, tmp_path):
    first = built(make_recipe()).module
    save_file({k: v.clone() for k, v in first.state_dict().items()}, tmp_path / "w.safetensors")
    second = build_model(make_recipe(init=str(tmp_path / "w.safetensors"))).module
    assert torch.equal(second.positional_embedding, first.positional_embedding)


def test_random_weights_take_the_same_way(make_recipe):
    long, short = built(make_recipe()).module, built(make_recipe(context_length=77)).module
    assert torch.equal(long.positional_embedding, stretch(short.positional_embedding))


def test_a_pretrained_tag_brings_its_activation(make_recipe, monkeypatch):
    # OpenAI's weights want QuickGELU; open_clip only warns when the architecture lacks it
    recipe = make_recipe(model="ViT-B-16", init="openai", context_length=77)
    asked, other = {}, built(make_recipe(context_length=77)).module

    def create_model(name, **options):
        asked.update(options)
        return other

    monkeypatch.setattr(open_clip, "create_model", create_model)
    model = build_model(recipe)
    assert asked["pretrained"] == "openai"
    assert asked["force_quick_gelu"] is True
    assert model.config["model_cfg"]["quick_gelu"] is True


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "NoSuchModel"}, "model: 'NoSuchModel' is neither shipped"),
        ({"init": "no/such/file.pt"}, "init: 'no/such/file.pt' is neither"),
        ({"model": "ViT-B-16", "init": "no_tag"}, "pretrained tag of 'ViT-B-16' .*openai"),
        ({"context_length": 100}, "stays 77 or is stretched to 248 .* 100 is neither"),
        ({"frozen_positions": 90}, "90 of 77 positions"),
    ],
)
def test_what_cannot_be_built_is_named(changes, message, make_recipe):
    with pytest.raises(ModelError, match=message):
        build_model(make_recipe(**changes))


@pytest.mark.parametrize("frozen", [20, 0])
def test_frozen_positions_never_move(frozen, make_recipe):
    model = built(make_recipe())
    module = model.module
    freeze_positions(module, frozen)
    optimizer = make_optimizer(module, Optimizer(lr=1e-2, weight_decay=0.5))
    before = module.positional_embedding.detach().clone()
    tokens = model.tokenizer(["a red wall " * 12, "a green door " * 9])
    for _ in range(3):
        optimizer.zero_grad()
        encode_text(module, tokens).square().sum().backward()
        optimizer.step()
    after = module.positional_embedding.detach()
    moved = (after != before).any(dim=1)
    assert moved[:frozen].sum() == 0
    assert moved[frozen:30].all()  # those within the captions
    assert not moved[60:].any()  # no weight decay either


def test_what_decays(make_recipe):
    module = built(make_recipe()).module
    decayed, spared = make_optimizer(module, Optimizer(lr=1e-3, weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)
    names = {id(p): n for n, p in module.named_parameters()}
    decayed_names = {names[id(p)] for p in decayed["params"]}
    spared_names = {names[id(p)] for p in spared["params"]}
    assert decayed_names | spared_names == set(names.values())
    assert {"token_embedding.weight", "text_projection", "visual.conv1.weight"} <= decayed_names
    assert {"positional_embedding", "logit_scale", "ln_final.weight"} <= spared_names
    assert not any(n.endswith(".bias") for n in decayed_names)


def test_the_learning_rate_warms_up_and_follows_a_cosine():
    rates = [learning_rate(s, 100, 10, 2.0) for s in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx(1.0)  # half way down
    assert 0 < rates[99] < 0.001
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(0, 1, 0, 2.0) == 2.0
