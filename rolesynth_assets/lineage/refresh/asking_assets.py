"""Which assets ask models, which may cost money, by whom they ask; it imports nothing."""

ASK_CAPTIONER = ("role_lists", "raw_captions")
ASK_JUDGE = ("caption_scores",)
ASK_COLLECTIVE = ("cads_rounds",)
ASK_MODELS = (*ASK_CAPTIONER, *ASK_JUDGE, *ASK_COLLECTIVE)
"""All of them."""
