from rolesynth_assets.defs.wiring.beta_notices import silence_beta_notices

silence_beta_notices()  # before a module of this package uses the parts
