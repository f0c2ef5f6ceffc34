"""Materializations and checks full of hostile text, in the instance that DAGSTER_HOME names.

`python -m` of this module, with the beacon's address: a process of its own, as the home is its.
"""

import sys

ASSET = "ablation_report"
"""Not partitioned, so that its page shows the latest metadata at once."""
CHECKED, CHECK = "role_lists", "roles_distinct"
UNESCAPED = "r1_report"
"""Its metadata is written past the one writer, to see what the policy of the page holds back."""
MUTATION = (
    'mutation{wipeAssets(assetPartitionRanges:[{assetKey:{path:["ablation_report"]}}]){__typename}}'
)


def write(beacon: str) -> None:
    """Report events with every kind of page, each with every hostile text."""
    import dagster as dg

    from rolesynth_assets.check_outcome import CheckOutcome
    from rolesynth_assets.defs.wiring.pages.metadata import check_result
    from rolesynth_assets_tests.drills.hostile_text import markdown_pages
    from rolesynth_assets_tests.hostile import hostile_texts

    picture = f"{beacon}/heard.png"
    said = [*hostile_texts(picture), f"![x](/graphql?query={MUTATION})"]
    metadata: dict[str, dg.MetadataValue] = {}
    for name in markdown_pages("x"):
        whole = "\n\n".join(markdown_pages(text)[name] for text in said)
        metadata[f"{name}_long"] = dg.MetadataValue.md(whole)  # behind "Show Markdown"
    for number, text in enumerate(said):
        metadata[f"short_{number}"] = dg.MetadataValue.md(markdown_pages(text)["rejects"])
        metadata[f"text_{number}"] = dg.MetadataValue.text(text)
    metadata["json"] = dg.MetadataValue.json(said)
    raw = f"![x]({picture})\n\n<img src='{picture}'>"
    with dg.DagsterInstance.get() as instance:
        for asset, of in ((ASSET, metadata), (UNESCAPED, {"raw": dg.MetadataValue.md(raw)})):
            event = dg.AssetMaterialization(asset, metadata=of, description=None)
            instance.report_runless_asset_event(event)
        outcome = CheckOutcome(False, 0.5, 0.1, " ".join(said), {"examples": said, "one": said[0]})
        result = check_result(CHECK, outcome)
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(CHECKED),
                check_name=CHECK,
                passed=False,
                metadata=result.metadata,
                description=result.description,
            )
        )


if __name__ == "__main__":
    write(sys.argv[1])
