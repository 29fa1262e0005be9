"""`lingting eval quality`: how right the quality rules are, as written and as the box hears it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from appliance.assist.city import pack as packs
from appliance.assist.city.pack import CityPack
from appliance.assist.quality.cases import CaseDialogue, dialogues_of, mood_of
from appliance.assist.quality.dialogue import HeardTurn, InspectedCall
from appliance.assist.quality.rule import Finding, QualityRule, inspect
from appliance.assist.slots.turns import plain
from appliance.errors import LingtingError, SettingsError
from appliance.messages import LegRole
from appliance.settings import load_settings

DOING = "measure quality rules"
LONG_MS, TIMED = 300_000, 20  # of the calls that are timed
PAUSE_MS = 400
OVERALL = ""  # in the place of a group's name


@dataclass(frozen=True, slots=True)
class RuledDialogue:
    """What one rule makes of a dialogue, and what it should.

    Attributes:
        wanted: it is violated.
    """

    group: str
    name: str
    wanted: bool
    finding: Finding


@dataclass(frozen=True, slots=True)
class CaseCall:
    """A dialogue of the pack, and the call that it was heard as."""

    said: CaseDialogue
    call: InspectedCall


def quality(
    heard: Annotated[
        Path | None,
        typer.Option(help="JSON lines: the dialogues as they were heard; else as they stand."),
    ] = None,
    pack: Annotated[Path | None, typer.Option(help="Pack folder; else the settings'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One flat JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what was judged wrongly.")] = False,
) -> None:
    """Quality rules by the pack's own dialogues: precision and recall of each group, and speed.

    A dialogue counts for the rule that it was written for, as nothing is said of others. With
    --heard, `same_precision` and `same_recall` are of all rules over all dialogues: what is found
    in a call as it was heard, by what is found in the same as it is written. Moods, who hung up
    and what the order lacks are always as written."""
    try:
        city = _pack(pack)
        said = list(dialogues_of(city.quality_cases))
        calls = _heard(heard, said) if heard else [CaseCall(each, each.call()) for each in said]
        own = own_rules(city.quality, calls)
        found = figures(own) | timed(city.quality, calls)
        if heard:
            found |= same(as_written(city.quality, calls))
    except (LingtingError, OSError, ValueError) as error:
        typer.echo(f"eval quality: {error}", err=True)
        raise typer.Exit(2) from error
    if show:
        _show_wrong(own, calls)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    _show(own, found)


def _pack(folder: Path | None) -> CityPack:
    city = packs.load(folder or load_settings().city.pack, sealed=False)
    if not city.quality or not city.quality_cases:
        cause = f"{city.folder} has no quality.toml with quality_cases.toml"
        raise SettingsError(DOING, cause, "docs/quality.md tells how rules are written")
    return city


# --- what was heard


def _heard(path: Path, said: Iterable[CaseDialogue]) -> list[CaseCall]:
    """Raises SettingsError naming the line."""
    by_name, found = {each.name: each for each in said}, dict[str, CaseCall]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            case = by_name[row["case"]]
            found[case.name] = CaseCall(case, call_of(case, row))
        except (KeyError, TypeError, ValueError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            hint = "inference.training.hotline.dialogues writes such a file"
            raise SettingsError(DOING, f"{path}, line {number}: {what}", hint) from error
    if not found:
        raise SettingsError(DOING, f"{path} holds no dialogue", "a JSON object a line")
    return list(found.values())


def call_of(case: CaseDialogue, row: Mapping[str, Any]) -> InspectedCall:
    """Of {turns: [{role, text, start_ms, end_ms, confidence, words, how}], duration_ms}.

    Raises ValueError if the case has been written anew since.
    """
    if row.get("text", case.text) != case.text:
        raise ValueError(f"{case.name} has been written anew since it was heard")
    rows = sorted(row["turns"], key=lambda turn: turn["start_ms"])
    turns = tuple(_turn(at, turn) for at, turn in enumerate(rows))
    duration_ms = row.get("duration_ms") or max((turn.end_ms for turn in turns), default=0)
    return InspectedCall(turns, duration_ms, "phone", case.hang_up, frozenset(case.lacks))


def _turn(at: int, row: Mapping[str, Any]) -> HeardTurn:
    emotion, level = mood_of(row.get("how", ""))
    words = tuple((plain(text), *rest) for text, *rest in row.get("words", ()))
    times = row["start_ms"], row["end_ms"]
    of = (at, str(at), LegRole(row["role"]), plain(row["text"]), *times, row["confidence"])
    return HeardTurn(*of, words, emotion, level)


# --- figures


def own_rules(rules: Sequence[QualityRule], calls: Iterable[CaseCall]) -> list[RuledDialogue]:
    """Each dialogue by the rule that it was written for."""
    return [
        RuledDialogue(found.rule.group, case.said.name, case.said.is_fault, found.finding)
        for case in calls
        for found in inspect(rules, case.call).findings
        if found.rule.id == case.said.rule
    ]


def as_written(rules: Sequence[QualityRule], calls: Iterable[CaseCall]) -> list[RuledDialogue]:
    """Each dialogue by all rules; wanted is what they find in it as it is written."""
    made = []
    for case in calls:
        written = {each.rule.id: each.finding for each in inspect(rules, case.said.call()).findings}
        for found in inspect(rules, case.call).findings:
            wanted = written.get(found.rule.id) is Finding.VIOLATED
            made.append(RuledDialogue(found.rule.group, case.said.name, wanted, found.finding))
    return made


def figures(found: Sequence[RuledDialogue]) -> dict[str, float]:
    """Over all, and of each group; -1 where there is nothing to tell it by."""
    told: dict[str, float] = {"n": len(found)}
    for group in (OVERALL, *dict.fromkeys(each.group for each in found)):
        some = [each for each in found if group in (OVERALL, each.group)]
        end = f"_{group}" if group else ""
        told[f"precision{end}"], told[f"recall{end}"] = _rates(some)
        told[f"unsure{end}"] = _share(some, lambda each: each.finding is Finding.UNSURE)
    return told


def same(found: Sequence[RuledDialogue]) -> dict[str, float]:
    """Of all rules, by what they find as it is written."""
    precision, recall = _rates(found)
    return {"same_n": len(found), "same_precision": precision, "same_recall": recall}


def _rates(some: Sequence[RuledDialogue]) -> tuple[float, float]:
    """Precision and recall."""
    told = [each for each in some if each.finding is Finding.VIOLATED]
    faults = [each for each in some if each.wanted]
    right = _share(told, lambda each: each.wanted)
    return right, _share(faults, lambda each: each.finding is Finding.VIOLATED)


def _share(some: Sequence[RuledDialogue], holds: Callable[[RuledDialogue], bool]) -> float:
    return round(sum(map(holds, some)) / len(some), 4) if some else -1


def timed(rules: Sequence[QualityRule], calls: Sequence[CaseCall]) -> dict[str, float]:
    """What calls of five minutes take one core, beside whatever else runs."""
    parts = cycle([case.call for case in calls if case.call.turns])
    long = [_long(parts) for _ in range(TIMED)]
    begun = time.process_time()
    for call in long:
        inspect(rules, call)
    each_s = (time.process_time() - begun) / TIMED
    return {"calls_per_s": round(1 / each_s, 1), "s_per_1000_calls": round(each_s * 1000, 2)}


def _long(parts: Iterable[InspectedCall]) -> InspectedCall:
    """Dialogues in a row, until five minutes are full."""
    turns, at_ms = list[HeardTurn](), 0
    for part in parts:
        for turn in part.turns:
            begin_ms, end_ms = at_ms + turn.start_ms, at_ms + turn.end_ms
            turn = replace(turn, at=len(turns), start_ms=begin_ms, end_ms=end_ms)
            turns.append(turn)
        at_ms += part.duration_ms + PAUSE_MS
        if at_ms >= LONG_MS:
            break
    return InspectedCall(tuple(turns), at_ms, "phone", "citizen", frozenset())


# --- what is told


def _show(own: Sequence[RuledDialogue], found: Mapping[str, float]) -> None:
    table = Table(
        "group", "dialogues", "violated", "precision", "recall", "unsure", box=SIMPLE_HEAD
    )
    for group in (*dict.fromkeys(each.group for each in own), OVERALL):
        some = [each for each in own if group in (OVERALL, each.group)]
        end = f"_{group}" if group else ""
        rates = (_percent(found[f"{name}{end}"]) for name in ("precision", "recall", "unsure"))
        violated = str(sum(each.wanted for each in some))
        table.add_row(group or "all", str(len(some)), violated, *rates)
    console = Console(highlight=False)
    console.print(table)
    if "same_n" in found:
        rates = (_percent(found[f"same_{name}"]) for name in ("precision", "recall"))
        console.print("all rules, heard by written: precision {}, recall {}".format(*rates))
    speed = (
        "calls of five minutes, one core: {calls_per_s:g} a second, 1,000 in {s_per_1000_calls:g} s"
    )
    console.print(speed.format(**found))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0 else "–"


def _show_wrong(own: Sequence[RuledDialogue], calls: Iterable[CaseCall]) -> None:
    by_name = {case.said.name: case for case in calls}
    for each in own:
        if each.wanted != (each.finding is Finding.VIOLATED):
            print(f"{each.name}: {each.finding.value}\n{by_name[each.name].said.text.strip()}")
            for turn in by_name[each.name].call.turns:
                print(f"  {turn.start_ms / 1000:6.1f} {turn.role.value:8} {turn.text}")
