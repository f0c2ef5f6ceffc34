"""Rows without a result that are asked again because somebody wants it, each once in one go."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.rows.one_go import asked_before
from rolesynth_assets.mllm.rows.row_run import PASSING, RETRY, in_batches

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

_SHOWN = 80
"""Characters of an example."""


def with_batches(
    store: StoreReader, table: str, key: str, partition: Mapping[str, str], retry: str
) -> str:
    """Return the predicate of stored rows that count as missing, with those in open batches.

    They were asked again, by an earlier command perhaps, and the answer is paid for.
    """
    if not (held := in_batches(store, table, partition)):
        return retry
    from rolesynth_assets.store.lance.rows import any_key

    stored = store.read(table, partition, [key])[key].to_pylist()
    asked = sorted(held.intersection(stored))
    return f"({retry}) OR {any_key(key, asked)}" if asked else retry


def rows_to_ask(
    key: str, wanted: Collection[str], reasons: Sequence[str], alike: str | None = None
) -> str:
    """Return the SQL predicate of stored rows that count as missing.

    Args:
        key: key column of the table.
        wanted: keys that a partition should hold; those asked before in this go are left out.
        reasons: reasons of rows that are asked again; by default the transient ones.
        alike: predicate of rows with a result that are asked again, since too many have the same.
    """
    if not reasons:
        return RETRY
    from rolesynth_assets.store.lance.rows import any_key

    before = asked_before(wanted)
    found = any_key("reason", reasons)
    if alike:
        found = f"({found} OR {alike})"
    return f"{found} AND NOT {any_key(key, before)}" if before else found


def reasons_in_words(counts: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return reasons with their counts and an example of each, most frequent first.

    Args:
        counts: rows by reason.
        examples: detail of one row by reason, where there is any.
    """
    said = []
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        detail = textwrap.shorten(examples.get(reason) or "", _SHOWN, placeholder=" ...")
        said.append(f"{reason} {count:,}" + (f" (such as {detail!r})" if detail else ""))
    return ", ".join(said)


def way_out(counts: Mapping[str, int], role_set: str) -> str:
    """Return how rows that ended for some reasons are asked again; empty if there is none.

    Args:
        counts: rows by reason.
        role_set: role set of the rows.
    """
    final = [reason for reason in counts if reason not in PASSING]
    said = []
    if final:
        command = f"rolesynth run --role-set {role_set} --again {','.join(sorted(final))}"
        said.append(f"Once the cause is mended, `{command}` asks these rows again.")
    if passing := sorted(set(counts) - set(final)):
        said.append(f"The next run asks those that ended as {', '.join(passing)} again by itself.")
    return " ".join(said)
