"""Tversky loss: Dice whose two kinds of mistakes count differently."""

from torch import Tensor

from sceneparse.losses.survey import Sums


def tversky(sums: Sums, alpha: float, beta: float, gamma: float = 1.0) -> Tensor:
    """Compute the mean over the classes in the truth of 1 less the Tversky index.

    Salehi et al., 2017, equation 4; alpha = beta = 0.5 is Dice.

    Args:
        sums: Soft counts of the batch.
        alpha: What the probability of a class counts where another is true.
        beta: What the probability of others counts where the class is true.
        gamma: Above 1, classes that are nearly right count more: the root of each loss is taken
            (Abraham & Khan, 2019, equation 4).
    """
    overlap, predicted, true = (values[sums.present] for values in sums)
    mistakes = alpha * (predicted - overlap) + beta * (true - overlap)
    loss = mistakes / (overlap + mistakes)
    if gamma != 1:
        # Near zero the slope of a root is infinite.
        loss = loss.clamp(min=1e-6) ** (1 / gamma)
    return loss.sum() / max(1, len(true))
