"""A small Whisper for training: parameter names are those of transformers, the forward is ours.

Ours because training needs what that class does not give: encoder input shorter than 30 s, CTC over
phones from the encoder, and the cross-attention that is guided to each character's time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference.training import vocabulary


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Geometry of the network."""

    width: int = 256
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 2
    mels: int = 80
    source_positions: int = 1500
    target_positions: int = 448


GUIDED_LAYER = -1  # its first heads carry the alignment
GUIDED_HEADS = 2


class Attention(nn.Module):
    """Multi-head attention with Whisper's projections (no bias on keys)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, source: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """x [b, t, d], source [b, s, d] -> output [b, t, d], scores [b, h, t, s]."""
        b, t, d = x.shape
        q = self._split(self.q_proj(x) * self.scale)
        k, v = self._split(self.k_proj(source)), self._split(self.v_proj(source))
        scores = q @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        mixed = torch.softmax(scores, -1) @ v
        return self.out_proj(mixed.transpose(1, 2).reshape(b, t, d)), scores

    def _split(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        return x.view(b, t, self.heads, d // self.heads).transpose(1, 2)


class Layer(nn.Module):
    """A pre-norm layer of the encoder, or of the decoder where `cross`."""

    def __init__(self, width: int, heads: int, cross: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.cross = cross
        if cross:
            self.encoder_attn = Attention(width, heads)
            self.encoder_attn_layer_norm = nn.LayerNorm(width)

    def forward(
        self, x: Tensor, mask: Tensor | None, source: Tensor | None, drop: float
    ) -> tuple[Tensor, Tensor | None]:
        """x [b, t, d] -> the same shape, and the cross-attention scores [b, h, t, s]."""
        normal, scores = self.self_attn_layer_norm(x), None
        x = x + F.dropout(self.self_attn(normal, normal, mask)[0], drop, self.training)
        if source is not None:
            mixed, scores = self.encoder_attn(self.encoder_attn_layer_norm(x), source)
            x = x + F.dropout(mixed, drop, self.training)
        wide = F.gelu(self.fc1(self.final_layer_norm(x)))
        return x + F.dropout(self.fc2(wide), drop, self.training), scores


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's fixed encoder positions: [length, width]."""
    step = math.log(10_000) / (width // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(width // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def convolve(conv: nn.Conv1d, x: Tensor, stride: int) -> Tensor:
    """A convolution of 3 with padding 1, as one matrix product: [b, t, i] -> [b, t / stride, o]."""
    padded = F.pad(x, (0, 0, 1, 1))
    shifted = [padded[:, k : k + x.shape[1] : stride] for k in range(3)]
    return F.linear(torch.cat(shifted, -1), conv.weight.permute(0, 2, 1).flatten(1), conv.bias)


class NetworkEncoder(nn.Module):
    """Log-mel [b, mels, t] -> [b, t / 2, d]."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        d = shape.width
        self.conv1 = nn.Conv1d(shape.mels, d, 3, padding=1)
        self.conv2 = nn.Conv1d(d, d, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(shape.source_positions, d)
        self.layers = nn.ModuleList(
            Layer(d, shape.heads, False) for _ in range(shape.encoder_layers)
        )
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, mel: Tensor, drop: float = 0.0) -> Tensor:
        x = F.gelu(convolve(self.conv1, mel.transpose(1, 2), 1))
        x = F.gelu(convolve(self.conv2, x, 2))
        x = x + self.embed_positions.weight[: x.shape[1]]
        for layer in self.layers:
            x, _ = layer(x, None, None, drop)
        normal: Tensor = self.layer_norm(x)
        return normal


class NetworkDecoder(nn.Module):
    """Token ids [b, t] and encoder output -> [b, t, d] and the guided cross-attention."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        d = shape.width
        self.embed_tokens = nn.Embedding(len(vocabulary.TOKENS), d)
        self.embed_positions = nn.Embedding(shape.target_positions, d)
        self.layers = nn.ModuleList(
            Layer(d, shape.heads, True) for _ in range(shape.decoder_layers)
        )
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, ids: Tensor, source: Tensor, drop: float = 0.0) -> tuple[Tensor, Tensor]:
        t = ids.shape[1]
        x = self.embed_tokens(ids) + self.embed_positions.weight[:t]
        mask = torch.full((t, t), -1e4, device=x.device, dtype=source.dtype).triu(1)
        scores = list[Tensor]()
        for layer in self.layers:
            x, score = layer(x, mask, source, drop)
            scores.append(score)
        return self.layer_norm(x), scores[GUIDED_LAYER][:, :GUIDED_HEADS]


class Body(nn.Module):
    """`model` of a WhisperForConditionalGeneration."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.encoder, self.decoder = NetworkEncoder(shape), NetworkDecoder(shape)


class Network(nn.Module):
    """The model with its CTC head, which is dropped at export."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.ctc = nn.Linear(shape.width, vocabulary.PHONES)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier; loud convolutions and quiet positions, which train in a third of the steps."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        encoder, decoder = self.model.encoder, self.model.decoder
        with torch.no_grad():
            for conv, gain in ((encoder.conv1, 6.0), (encoder.conv2, 3.0)):
                conv.weight *= gain
            mean = 0.3 * encoder.conv1.weight.sum((1, 2))  # mels centre on -0.3
            encoder.conv1.bias = nn.Parameter(mean)
            encoder.embed_positions.weight.copy_(
                0.3 * sinusoids(self.shape.source_positions, self.shape.width)
            )
        encoder.embed_positions.weight.requires_grad_(False)
        nn.init.normal_(decoder.embed_tokens.weight, std=0.05)
        nn.init.normal_(decoder.embed_positions.weight, std=0.02)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., d] -> [..., tokens], with the input embedding as output matrix."""
        return F.linear(hidden, self.model.decoder.embed_tokens.weight)


@dataclass(slots=True)
class Batch:
    """Padded tensors of a batch; see corpus.Example."""

    mel: Tensor  # [b, 80, t]
    inputs: Tensor  # [b, n]
    targets: Tensor  # [b, n], -100 is not scored
    spans: Tensor  # [b, n, 2] encoder frames, -1 is free
    phones: Tensor  # all labels in a row
    phone_counts: Tensor  # [b]
    frames: Tensor  # [b] encoder frames without padding


@dataclass(slots=True)
class Losses:
    """The three parts of the loss, each a mean."""

    text: Tensor
    ctc: Tensor
    guide: Tensor


def losses(network: Network, batch: Batch, with_text: bool, drop: float) -> Losses:
    """Losses of `batch`; only CTC where not `with_text`."""
    source = network.model.encoder(batch.mel, drop)
    ctc = ctc_loss(network.ctc(source), batch)
    zero = ctc.new_zeros(())
    if not with_text:
        return Losses(zero, ctc, zero)
    hidden, scores = network.model.decoder(batch.inputs, source, drop)
    scored = batch.targets >= 0
    logits = network.logits(hidden[scored]).float()
    text = F.cross_entropy(logits, batch.targets[scored], label_smoothing=0.03)
    return Losses(text, ctc, guide_loss(scores, batch))


def ctc_loss(logits: Tensor, batch: Batch) -> Tensor:
    """CTC over the frames before the padding (two more, so that a last phone has room)."""
    log_probabilities = F.log_softmax(logits.float(), -1).transpose(0, 1)
    frames = torch.clamp(batch.frames + 2, max=logits.shape[1])
    each = F.ctc_loss(
        log_probabilities,
        batch.phones,
        frames,
        batch.phone_counts,
        blank=vocabulary.BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return each.sum() / batch.phone_counts.sum().clamp(min=1)


def guide_loss(scores: Tensor, batch: Batch) -> Tensor:
    """-log of the attention that falls within 80 ms of each character: scores [b, h, n, s]."""
    places = torch.arange(scores.shape[-1], device=scores.device)
    start, end = batch.spans[..., :1], batch.spans[..., 1:]
    inside = (places >= start - 1.5) & (places <= end + 1.5)
    weights = torch.log_softmax(scores.float(), -1)
    mass = weights.masked_fill(~inside[:, None], -1e4).logsumexp(-1)
    rows = (batch.spans[..., 1] >= 0)[:, None].expand_as(mass)
    return -mass[rows].clamp(min=-20).mean()
