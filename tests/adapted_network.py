"""What adapters change of a network, checked in a Python that has torch:

python -m tests.adapted_network BUNDLE
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from unittest.mock import patch

import torch

from inference.adaptation import precision
from inference.adaptation.network import WhisperNetwork
from inference.adaptation.training import _distance
from inference.adaptation.weights import float_weights


def check(bundle: Path) -> None:
    torch.manual_seed(1)
    weights = float_weights(bundle)
    plain, network = WhisperNetwork(weights), WhisperNetwork(weights)
    network.adapt(rank=4, scale=2.0, dropout=0.5)
    mel, tokens = torch.randn(1, weights["encoder/conv1/weight"].shape[1], 200), torch.ones(1, 4)
    asked = mel, tokens.long()
    before = plain(*asked)
    torch.testing.assert_close(network(*asked), before)  # untrained, they change nothing
    for linear in network.linears():
        assert linear.up is not None
        torch.nn.init.normal_(linear.up, std=0.1)

    network.eval()
    learned = network(*asked)
    torch.testing.assert_close(network(*asked), learned)
    assert not torch.allclose(learned, before)
    with contextlib.suppress(KeyError), network.unadapted():
        torch.testing.assert_close(network(*asked), before)
        raise KeyError
    torch.testing.assert_close(network(*asked), learned)

    network.train()
    assert not torch.allclose(network(*asked), network(*asked))  # something else is dropped

    was, became = before.flatten(0, 1), learned.flatten(0, 1)
    assert float(_distance(was, was).abs().max()) < 1e-5 < float(_distance(was, became).min())
    likely, sure = torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 0.0]])
    # What was possible and is not any more weighs most.
    assert float(_distance(likely, sure)) > float(_distance(sure, likely))


def check_precision() -> None:
    """The faster of the two is taken, whichever it is on this machine."""
    for faster in (torch.float32, torch.bfloat16):
        times = {torch.float32: 2.0, torch.bfloat16: 2.0, faster: 1.0}
        with patch.object(precision, "_seconds", lambda _, dtype, times=times: times[dtype]):
            assert precision.fastest_dtype("cpu") == faster
    assert precision.fastest_dtype("cpu") in (torch.float32, torch.bfloat16)


if __name__ == "__main__":
    check(Path(sys.argv[1]))
    check_precision()
