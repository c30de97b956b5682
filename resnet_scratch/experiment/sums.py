"""The sums from which an epoch's mean training loss and accuracy are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compute.backend import Array, to_device, to_numpy
from ..train import Step


@dataclass
class EpochSums:
    """Sums over the steps of the current epoch. They stay on the device: reading them makes a GPU wait."""

    steps: int
    loss: Array  #: () float64: of the batches' mean losses
    correct: Array  #: () float64: of the images classified correctly
    finite_steps: Array  #: () int64: the steps until the loss was infinite or NaN for the first time

    @classmethod
    def zeros(cls, device: str) -> EpochSums:
        """Before the first step."""
        return cls.from_array(np.zeros(3), device)

    @classmethod
    def from_array(cls, sums: np.ndarray, device: str) -> EpochSums:
        """From (3,) finite numbers float64, as `to_array` returns them."""
        steps, loss, correct = sums
        loss, correct, finite_steps = (to_device(np.array(x), device) for x in (loss, correct, int(steps)))
        return cls(int(steps), loss, correct, finite_steps)

    def to_array(self) -> np.ndarray:
        """(3,) float64 on the host: steps, loss, correct."""
        return np.array([self.steps, to_numpy(self.loss), to_numpy(self.correct)], np.float64)

    def add(self, step: Step) -> None:
        """Add one step's loss and number of correct images."""
        self.steps += 1
        self.loss += step.loss
        self.correct += step.correct
        self.finite_steps += abs(self.loss) < np.inf  # a sum stays infinite or NaN
