"""Looking into a network: passes, receptive fields, features, saliency, landscapes, learning rates, drawings."""
