"""What a check measured, as one plain sentence: the UI gets it escaped, commands as it is."""

from __future__ import annotations

import dagster as dg

SENTENCE = "rolesynth/sentence"
"""Name of a check result's metadata that holds the sentence letter by letter.

The description is Markdown to the UI, so backslashes and zero-width spaces keep it from being read
as markup there. They have no place in a terminal.
"""


def check_sentence(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return the sentence of a check's evaluation; empty if it has none.

    Evaluations from before the metadata was written give their description.
    """
    entry = evaluation.metadata.get(SENTENCE)
    return str(entry.value) if entry is not None else evaluation.description or ""
