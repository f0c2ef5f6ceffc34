"""The calls that rounds of a collective and generated roles are expected to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.cli.spending.expected import CARDS, Expected, Tokens
from rolesynth_assets.mllm.cost.prices import Prices

if TYPE_CHECKING:
    import dagster as dg

    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store

RULE_OF_THUMB = Tokens(1500, 500, "a rule of thumb; there is no earlier round")
EARLIER = 50
"""Rounds whose calls and tokens are looked at."""


def expected_rounds(
    settings: Settings, store: Store, instance: dg.DagsterInstance, rounds: Sequence[str]
) -> list[Expected]:
    """Estimate the calls of rounds.

    Args:
        settings: names the collective.
        store: holds the seeds.
        instance: holds what earlier rounds took.
        rounds: partitions `domain|round`.

    Raises:
        CollectiveError: no usable collective is chosen.
    """
    from rolesynth_assets.cads.collective.collective import choose_collective
    from rolesynth_assets.cads.round.play import batch_size

    if not rounds:
        return []
    collective = choose_collective(settings.collective, settings.collectives)
    if not counted(collective):
        return []
    batch = batch_size(collective.candidates_per_seed, len(collective.writers), collective.rounds)
    most = collective.candidates_per_seed
    seeds = {
        domain: store.count("seeds", {"domain": domain}) or _lines(settings, domain)
        for domain in {key.split("|")[0] for key in rounds}
    }
    dealt = dict.fromkeys(seeds, 0)
    candidates = 0
    for key in sorted(rounds):
        domain = key.split("|")[0]
        dealt[domain] += (new := max(0, min(batch, most - dealt[domain])))
        candidates += seeds[domain] * new
    calls, tokens = _of_a_candidate(collective, instance)
    images = candidates * collective.K
    members = ", ".join(member.model for member in collective.members)
    asked = round(candidates * calls)
    prices, free = _mean_prices(collective), not paid(collective)
    tasks = map(collective.member, collective.employed)
    tried = CARDS * sum(member.counted and member.preflight for member in tasks)
    return [Expected("calls for problems", members, asked, images, tokens, prices, tried, free)]


def of_failed_calls(settings: Settings, count: int) -> list[Expected]:
    """Return calls of a collective that are made again.

    Raises:
        CollectiveError: no usable collective is chosen.
    """
    from rolesynth_assets.cads.collective.collective import choose_collective

    collective = choose_collective(settings.collective, settings.collectives)
    if not count or not counted(collective):
        return []
    members = ", ".join(member.model for member in collective.members)
    what, prices = "calls that failed, without what follows from them,", _mean_prices(collective)
    free = not paid(collective)
    return [Expected(what, members, count, 0, RULE_OF_THUMB, prices, in_process=free)]


def paid(collective: Collective) -> bool:
    """Return whether a collective asks a server, for texts or for drawings."""
    asks = any(member.paid for member in collective.members)
    return asks or collective.renderer.kind == "images_endpoint"


def counted(collective: Collective) -> bool:
    """Return whether a plan counts a collective's calls: not all of its members are embedded."""
    return paid(collective) or any(member.counted for member in collective.members)


def expected_roles(settings: Settings, role_sets: Sequence[str]) -> list[Expected]:
    """Estimate the calls of dialogues that generate roles."""
    from rolesynth_assets.roles.library import load_role_sets

    if not settings.captioner.counted:
        return []
    known = load_role_sets(settings.role_sets)
    specs = [spec for name in role_sets if (spec := known[name].generate)]
    calls = sum(2 + spec.rounds for spec in specs)  # proposal, refinements, perhaps a repair
    written = max((spec.max_tokens for spec in specs), default=0) / 2
    tokens = Tokens(3 * written, written, "a rule of thumb")
    prices = settings.prices.captioner
    model = settings.captioner.model or ""
    what, tried = "answers of a dialogue about roles", int(settings.captioner.preflight)
    free = not settings.captioner.paid
    return [Expected(what, model, calls, 0, tokens, prices, tried, free)]


def _lines(settings: Settings, domain: str) -> int:
    """Return the number of seeds that a domain's file offers before it is read in."""
    from rolesynth_assets.cads.seeds.domains import domain_files

    path = domain_files(settings.seeds).get(domain)
    if path is None or path.suffix != ".jsonl":
        return 0
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _of_a_candidate(collective: Collective, instance: dg.DagsterInstance) -> tuple[float, Tokens]:
    """Return the calls of a candidate and the tokens of a call, from earlier rounds if any."""
    import dagster as dg

    from rolesynth_assets.mllm.cost.spent import Spent

    found = instance.fetch_materializations(dg.AssetKey("cads_rounds"), limit=EARLIER).records
    made = [
        record.asset_materialization.metadata for record in found if record.asset_materialization
    ]
    spent = sum((Spent.recorded(metadata) for metadata in made), Spent())
    candidates = sum(
        int(number.value)  # type: ignore[arg-type]
        for metadata in made
        if (number := metadata.get("rolesynth/candidates")) and Spent.recorded(metadata).calls
    )
    if spent.calls and candidates:
        calls = spent.calls / candidates
        read, written = spent.prompt_tokens / spent.calls, spent.completion_tokens / spent.calls
        return calls, Tokens(read, written, f"as in {len(made)} earlier rounds")
    # written, solved by each judge, perhaps once more without the image, compared by the equaliser,
    # and one reflection now and then
    blind = "text_only_leak" in collective.extra_checks
    compared = collective.equaliser is not None
    calls = 2 + collective.K * (1 + blind + compared)
    return float(calls), RULE_OF_THUMB


def _mean_prices(collective: Collective) -> Prices:
    prices = [member.prices for member in collective.members]
    count = len(prices)
    return Prices(
        per_million_prompt_tokens=sum(p.per_million_prompt_tokens for p in prices) / count,
        per_million_completion_tokens=sum(p.per_million_completion_tokens for p in prices) / count,
    )
