"""A training run and its folder: recipe, run, trainer, log, checkpoint, evaluation, plots."""
