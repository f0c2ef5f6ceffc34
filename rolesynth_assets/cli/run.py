"""`rolesynth run`, which makes captions, scores and pairs, and then trains and scores models."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from rolesynth_assets.cli.refresh import refresh, require_seeds
from rolesynth_assets.cli.spending.question import Yes
from rolesynth_assets.cli.work.caption_work import CaptionWork


def run(
    role_set: Annotated[
        list[str],
        typer.Option(
            help="Role set to caption with, such as roles5 or one in role_sets/; repeatable."
        ),
    ],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Recipe to train and score, such as roles5_vit_b16 or one in recipes/; its role "
            "set has to be among those above; repeatable."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Training seed of the recipe; by default its first one; repeatable."),
    ] = None,
    shard: Annotated[
        list[str] | None,
        typer.Option(help="Shard to read in and caption; by default all; repeatable."),
    ] = None,
    again: Annotated[
        str,
        typer.Option(
            help="Ask again the rows that ended for these reasons, such as truncated,refused, and "
            "no others."
        ),
    ] = "",
    wait: Annotated[
        bool,
        typer.Option(
            help="With ROLESYNTH_ENGINE=openai-batch: wait for the batches, or end once they are "
            "submitted; the same command collects them later."
        ),
    ] = True,
    yes: Yes = False,
) -> None:
    """Bring captions, scores and pairs of all shards up to date, then train and score recipes.

    ROLESYNTH_ENGINE (embedded, openai, openai-batch, vllm), ROLESYNTH_BASE_URL, ROLESYNTH_MODEL and
    ROLESYNTH_API_KEY set the captioning model. What a server will be asked is printed first, with
    calls, tokens and, where `prices` are set, the cost; it begins after a yes, or with --yes.

    A row that was truncated, refused or turned down is final. After the server was put right,
    **rolesynth run --role-set roles5 --again truncated,refused** asks such rows once more. The
    words same_text and same_score stand for captions whose text serves several images, and for the
    score that most captions have.
    """
    from rolesynth_assets.clip.library import load_recipes
    from rolesynth_assets.settings import Settings

    began = time.perf_counter()
    reasons = _reasons(again)
    known = load_recipes(Settings.load().recipes)
    missing = sorted(set(recipe or ()) - set(known))
    if missing:
        raise typer.BadParameter(f"no recipe {', '.join(missing)}; there are {', '.join(known)}")
    seeds = {name: seed or [known[name].seeds[0]] for name in recipe or ()}
    for name, asked in seeds.items():
        wanted = known[name]
        if wanted.role_set not in role_set:
            raise typer.BadParameter(
                f"recipe {name} trains on role set {wanted.role_set}: add --role-set "
                f"{wanted.role_set}"
            )
        require_seeds(name, wanted.seeds, asked)
    work = CaptionWork(role_set, seeds, shards=shard or (), again=reasons)
    refresh(began, work, yes=yes, wait=wait)


def _reasons(again: str) -> list[str]:
    if not again.strip():
        return []
    from rolesynth_assets.cli.work.asked_again import known_reasons

    return known_reasons(again)
