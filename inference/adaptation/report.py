"""What an adaptation brought, what it cost and what it spoiled: JSON, and a page with plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from inference.adaptation import whole
from inference.adaptation.clips import SetAside
from inference.adaptation.page import bullets, document
from inference.adaptation.trial import HeardFigures

JSON, PAGE = "report.json", "report.html"
WIDTH, HEIGHT, EDGE = 560, 240, 44  # of a plot, pixels
NAMES = {
    "local": "当地语音，16 kHz<br>local, 16 kHz",
    "local_alaw": "当地语音，电话（8 kHz A-law）<br>local, telephone",
    "general": "普通语音，16 kHz<br>general, 16 kHz",
    "general_alaw": "普通语音，电话（8 kHz A-law）<br>general, telephone",
}


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What so many minutes of speech bring."""

    minutes: float
    steps: int
    strength: float  # of what was learned, that hears best
    local: float  # error rate
    general: float | None
    wall_s: float  # of training
    core_hours: float


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    core_hours: float
    gpu_hours: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class AdaptationReport:
    """All of it; error rates are shares, on clips that were held out from learning."""

    base: str
    bundle: str
    device: str
    learned_s: float
    learned_speakers: int
    general_learned_s: float
    held_out: str  # speakers or recordings: what learning and figures do not share
    before: dict[str, HeardFigures]
    after: dict[str, HeardFigures]
    curve: tuple[CurvePoint, ...]
    margins: dict[str, dict[float, float]]  # before, after: seconds -> error rate, all held out
    margin_s: float  # that the new bundle asks for
    cost: Cost
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]

    def save(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        whole.write(folder / PAGE, page(self))
        whole.write(folder / JSON, text + "\n")  # last: then it is done


def page(told: AdaptationReport) -> str:
    """Stands by itself: no scripts, nothing fetched."""
    cost = told.cost
    parts = [
        f"<h1>{escape(told.bundle)}</h1>",
        f"<p>由 {escape(told.base)} 适应而来：学了 {told.learned_s / 60:.1f} 分钟当地语音，"
        f"{told.learned_speakers} 人；{_held(told)}。<br>Adapted from {escape(told.base)} to "
        f"{told.learned_s / 60:.1f} minutes of {told.learned_speakers} speakers; "
        f"figures are of {escape(told.held_out)} that nothing was learned from.</p>",
        "<h2>字错率 · Characters wrong</h2>",
        _before_and_after(told),
        "<h2>多少语音，多大收获 · How much speech brings how much</h2>",
        _curve(told),
        "<h2>代价 · Cost</h2>",
        f"<p>{cost.wall_s / 60:.1f} min; {cost.core_hours:.2f} core-hours; {cost.gpu_hours:.2f} "
        f"GPU-hours; {cost.peak_memory_mb:.0f} MB</p>",
        "<h2>尾部静音 · Silence behind the audio</h2>",
        _margins(told),
    ]
    if told.notes:
        parts += ["<h2>须知 · To be known</h2>", bullets(told.notes)]
    if told.set_aside:
        parts += ["<h2>未采用的录音 · Recordings set aside</h2>"]
        parts += [bullets(f"{each.name}: {each.reason}" for each in told.set_aside)]
    return document(told.bundle, parts)


def _held(told: AdaptationReport) -> str:
    whole = "speakers" in told.held_out
    return "下面的数字出自未参与学习的" + ("说话人" if whole else "录音")


def _before_and_after(told: AdaptationReport) -> str:
    rows = []
    for key, after in told.after.items():
        before = told.before[key]
        kind = "good" if after.cer <= before.cer else "bad"
        rows.append(
            f"<tr><td>{NAMES[key]}</td><td>{_rate(before)}</td>"
            f'<td class="{kind}">{_rate(after)}</td><td>{after.clips}</td>'
            f"<td>{after.speakers}</td><td>{after.seconds:.0f} s</td></tr>"
        )
    head = "<tr><th></th><th>此前 before</th><th>此后 after</th><th>段 clips</th>"
    return f"<table>{head}<th>人 speakers</th><th></th></tr>{''.join(rows)}</table>"


def _rate(heard: HeardFigures) -> str:
    bounds = (
        "" if heard.low is None or heard.high is None else f" ({heard.low:.1%}–{heard.high:.1%})"
    )
    return f"{heard.cer:.1%}{bounds}"


def _margins(told: AdaptationReport) -> str:
    rows = "".join(
        f"<tr><td>{margin:g} s</td><td>{told.margins['before'][margin]:.1%}</td>"
        f"<td>{rate:.1%}</td></tr>"
        for margin, rate in told.margins["after"].items()
    )
    head = "<tr><th></th><th>此前 before</th><th>此后 after</th></tr>"
    return f"<table>{head}{rows}</table><p>{told.margin_s:g} s</p>"


def _curve(told: AdaptationReport) -> str:
    """Error rate over minutes of speech, local and general, from where it stood before."""
    lines = [("local", "#0b5cad", [(0.0, told.before["local"].cer)])]
    lines[0][2].extend((p.minutes, p.local) for p in told.curve)
    if "general" in told.before:
        general = [(0.0, told.before["general"].cer)]
        general += [(p.minutes, p.general) for p in told.curve if p.general is not None]
        lines.append(("general", "#8a5a00", general))
    most_x = max(x for _, _, line in lines for x, _ in line)
    most_y = 1.1 * max(y for _, _, line in lines for _, y in line) or 1.0
    drawn = "".join(_line(name, colour, line, most_x, most_y) for name, colour, line in lines)
    bottom = HEIGHT - EDGE
    axes = (
        f'<path d="M{EDGE} 10V{bottom}H{WIDTH - 90}" fill="none" stroke="#5a6675"/>'
        f'<text x="4" y="16">{most_y:.0%}</text><text x="20" y="{bottom}">0</text>'
        f'<text x="{WIDTH - 130}" y="{HEIGHT - 8}">{most_x:g} min</text>'
    )
    title = "error rate over minutes of speech learned from"
    caption = "<figcaption>横轴：所学语音的分钟数；纵轴：字错率</figcaption>"
    size = f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{title}"'
    return f"<figure><svg {size}>{axes}{drawn}</svg>{caption}</figure>"


def _line(
    name: str, colour: str, line: Sequence[tuple[float, float]], most_x: float, most_y: float
) -> str:
    across, down = WIDTH - 90 - EDGE, HEIGHT - EDGE - 10
    spots = [(EDGE + across * x / most_x, 10 + down * (1 - y / most_y)) for x, y in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{at:g} min: {rate:.1%}'
        f"</title></circle>"
        for (x, y), (at, rate) in zip(spots, line, strict=True)
    )
    x, y = spots[-1]
    label = f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{name} {line[-1][1]:.1%}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}"/>{dots}{label}'
