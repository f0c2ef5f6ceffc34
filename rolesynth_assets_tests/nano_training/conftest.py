from rolesynth_assets_tests.embedded.nano_fixtures import nano, tokenizer

__all__ = ["nano", "tokenizer"]
