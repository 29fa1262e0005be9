"""Early warning: what is usual, what surprises, which contacts are one matter."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace

import pytest

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import load
from appliance.assist.warnings.book import EarlyWarning, WarningBook
from appliance.assist.warnings.bursts import Bursts, cells_of, first_days, surprise
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import DAY_S, HOUR_S, Expected
from appliance.assist.warnings.life import WarningAction, WarningState, after
from appliance.assist.warnings.matters import heat, matters
from appliance.assist.warnings.report import ReportTable, WarningReport, as_csv
from appliance.assist.warnings.usual import heat_table
from appliance.assist.warnings.year import synthetic_year
from appliance.errors import Conflict
from appliance.settings.section import PROJECT

BEGIN = 1_767_196_800.0  # 2026-01-01 in China
CATEGORIES = ("010101", "010102", "020101", "030101")
PLACES = tuple(f"1402{county:02}{town:03}{village:03}" for county in (13, 14)
               for town in (1, 2) for village in (1, 2, 3))  # fmt: skip


def usual(days: float, per_day: int = 400, seed: int = 0) -> list[Contact]:
    rng = random.Random(seed)
    times = sorted(BEGIN + rng.random() * days * DAY_S for _ in range(int(days * per_day)))
    return [
        Contact(f"u{at}", moment, rng.choice(CATEGORIES), rng.choice(PLACES), f"v{at}")
        for at, moment in enumerate(times)
    ]


def told(contacts: list[Contact], book: WarningBook | None = None) -> list[EarlyWarning]:
    """Every warning, by when it was told."""
    book, found = book or WarningBook(), dict[str, EarlyWarning]()
    for each in sorted(contacts, key=lambda each: each.at):
        found |= {warning.id: warning for warning in book.take(each)}
    return list(found.values())


def burst(
    n: int, voices: int, over_s: float = 3600, at: float = BEGIN + 20 * DAY_S
) -> list[Contact]:
    return [
        Contact(f"b{k}", at + over_s * k / n, "030101", PLACES[0], f"w{k % voices}")
        for k in range(n)
    ]


# --- what is usual


def test_what_was_usual_is_expected() -> None:
    expected = Expected()
    for each in usual(40):
        expected.learn(list(cells_of(each)), each.category, each.at)
    now = BEGIN + 40 * DAY_S
    cell = ("010101", PLACES[0])
    assert expected.daily(cell, now) == pytest.approx(400 / 4 / 12, rel=0.25)
    assert expected.within(cell, now - DAY_S, now) == pytest.approx(400 / 48, rel=0.3)
    parts = [expected.within(cell, now - n * HOUR_S, now - (n - 1) * HOUR_S) for n in range(1, 25)]
    assert sum(parts) == pytest.approx(expected.within(cell, now - DAY_S, now), rel=1e-6)


def test_a_rare_cell_is_expected_by_its_parts() -> None:
    """It has never been met; its category and its place have."""
    expected = Expected()
    for each in usual(40):
        if (each.category, each.place) != ("030101", PLACES[0]):
            expected.learn(list(cells_of(each)), each.category, each.at)
    never = expected.daily(("030101", PLACES[0]), BEGIN + 40 * DAY_S)
    unknown = expected.daily(("990101", PLACES[0]), BEGIN + 40 * DAY_S)
    assert never > 10 * unknown > 0


def test_hours_are_learned() -> None:
    expected = Expected()
    for day in range(30):
        for n in range(100):
            at = BEGIN + day * DAY_S + 9 * HOUR_S + n * 36  # from nine to ten
            expected.learn([("01", "")], "01", at)
    now = BEGIN + 30 * DAY_S
    morning = expected.within(("01", ""), now - 15 * HOUR_S, now - 14 * HOUR_S)
    night = expected.within(("01", ""), now - 22 * HOUR_S, now - 21 * HOUR_S)
    assert morning > 20 * night


# --- what surprises


def test_surprise_is_a_bound_of_the_tail() -> None:
    assert surprise(3, 5.0) == 0.0 and surprise(5, 5.0) == 0.0
    assert surprise(10, 1.0) > surprise(9, 1.0) > surprise(9, 2.0) > 0


def test_a_contact_counts_in_its_category_and_the_places_above() -> None:
    cells = set(cells_of(Contact("a", 0.0, "010203", "140213001002")))
    assert ("010203", "140213001002") in cells and ("01", "140213000000") in cells
    assert ("", "140213001000") in cells and ("01", "") in cells and ("", "") not in cells
    assert set(cells_of(Contact("a", 0.0))) == set()


def test_a_burst_is_one_warning_of_its_place() -> None:
    (warning,) = told(usual(25) + burst(12, voices=12))
    assert warning.cell == ("030101", PLACES[0]) and warning.voices >= 8
    assert warning.told_at <= burst(12, 12)[6].at


def test_nothing_unusual_warns_of_nothing() -> None:
    assert told(usual(40)) == []


def test_one_caller_is_one_voice() -> None:
    assert told(usual(25) + burst(200, voices=1)) == []
    assert told(usual(25) + burst(200, voices=4)) == []


def test_a_flood_without_matter_or_place_is_no_warning() -> None:
    flood = [Contact(f"x{n}", BEGIN + 8 * DAY_S + n, "", "", f"v{n}") for n in range(500)]
    assert told(usual(9) + flood) == []


def test_what_comes_twice_or_late_counts_once_or_not() -> None:
    book = WarningBook()
    told(usual(25) + burst(4, voices=4), book)
    for each in burst(4, voices=4) * 3:
        assert book.take(each) == []
    late = [Contact(f"l{n}", BEGIN + DAY_S, "030101", PLACES[0], f"l{n}") for n in range(9)]
    assert [warning for each in late for warning in book.take(each)] == []


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    bursts = Bursts()
    for at in (BEGIN + 30 * DAY_S, BEGIN, BEGIN + 30 * DAY_S + 1, BEGIN + 90 * DAY_S):
        assert bursts.take(Contact(f"c{at}", at, "01", PLACES[0])) == []


def test_events_of_a_made_up_year_are_found_in_time() -> None:
    categories = [f"{head:02}{leaf:02}" for head in range(1, 9) for leaf in range(1, 6)]
    places = [f"140213{town:03}{village:03}" for town in range(1, 16) for village in range(1, 11)]
    contacts, events = synthetic_year(categories, places, daily=500, events=6, days=45, seed=4)
    large = [each for each in events if len(each.ids) >= 20]
    book, found = WarningBook(), dict[str, float]()
    for contact in contacts:
        for warning in book.take(contact):
            for event in large:
                if len(warning.contacts.keys() & set(event.ids)) >= 3:
                    found.setdefault(event.ids[0], contact.at)
    assert large and all(found[each.ids[0]] <= each.fifth_at + 1800 for each in large)


def test_a_category_that_is_renamed_is_no_burst() -> None:
    """Another's new name, all over the city, in the middle of the year."""

    def renamed(each: Contact) -> Contact:
        new = "990101" if each.category == "030101" and each.at > BEGIN + 30 * DAY_S else ""
        return replace(each, category=new or each.category)

    assert told([renamed(each) for each in usual(40)]) == []


def test_a_new_box_warns_of_what_no_city_has_every_day() -> None:
    """It knows nothing yet of what is usual: by how much the pack says that a day brings."""
    day = first_days(5000, 200, 1800)
    some = burst(12, voices=12, at=BEGIN)
    assert len(told(some, WarningBook(Bursts(first_days=day)))) == 1
    assert told(some) == [], "nor does the pack say"
    spread = [replace(each, place=PLACES[at % 12]) for at, each in enumerate(some)]
    assert told(spread, WarningBook(Bursts(first_days=day))) == []


def test_the_same_history_gives_the_same_warnings() -> None:
    some = usual(25) + burst(40, voices=40, over_s=DAY_S)
    once, again = (told(some) for _ in range(2))
    assert [each.id for each in once] == [each.id for each in again] and len(once) == 1
    assert [each.told_at for each in once] == [each.told_at for each in again]


def test_a_warning_goes_one_way() -> None:
    steps = (WarningAction.ACKNOWLEDGE, WarningAction.WATCH, WarningAction.CLOSE)
    state = WarningState.NEW
    for each in steps:
        state = after(state, each)
    assert state is WarningState.CLOSED
    for each in set(WarningAction) - {WarningAction.AGAIN}:
        with pytest.raises(Conflict):
            after(state, each)
    with pytest.raises(Conflict):
        after(WarningState.WATCHING, WarningAction.ACKNOWLEDGE)


# --- matters


def test_what_is_over_may_be_told_again_by_the_box_alone() -> None:
    assert after(WarningState.CLOSED, WarningAction.AGAIN) is WarningState.NEW
    assert after(WarningState.FALSE, WarningAction.AGAIN) is WarningState.NEW
    for state in (WarningState.NEW, WarningState.WATCHING):
        with pytest.raises(Conflict):
            after(state, WarningAction.AGAIN)


def test_peoples_words_for_one_thing_are_one_matter() -> None:
    texts = (
        "丽发新城旁边的搅拌站半夜噪音扰民，灰尘也大。",
        "搅拌站离丽发新城太近了，晚上吵得睡不着。",
        "投诉丽发新城附近搅拌站，噪音和粉尘污染。",
        "伊景园车位捆绑销售，不买车位不让买房。",
        "伊景园强制捆绑销售车位，请查处。",
        "开发商在伊景园捆绑车位销售是否合法？",
        "公交车发车间隔太长。",
    )
    told = [Contact(str(at), BEGIN + at, text=text) for at, text in enumerate(texts)]
    found = matters(told)
    assert [sorted(each.id for each in one.contacts) for one in found] in (
        [["0", "1", "2"], ["3", "4", "5"]],
        [["3", "4", "5"], ["0", "1", "2"]],
    )
    assert matters([]) == []


def test_one_voice_is_no_matter() -> None:
    same = [Contact(str(n), BEGIN + n, voice="v", text="搅拌站噪音扰民严重") for n in range(9)]
    assert matters(same) == []


def test_a_matter_that_rested_for_long_weighs_less() -> None:
    close = [Contact(str(n), BEGIN + n * DAY_S) for n in range(5)]
    apart = [Contact(str(n), BEGIN + n * 90 * DAY_S) for n in range(5)]
    assert heat(close) > 2 * heat(apart)


def test_a_day_does_not_say_of_itself_what_is_usual() -> None:
    pack = load(PROJECT / "provisioning" / "city_packs" / "datong")
    place = next(iter(pack.divisions.of_level(DivisionLevel.VILLAGE))).code
    head = next(iter(pack.taxonomy.leaves)).code[:2]
    begin, end = BEGIN + 14 * DAY_S, BEGIN + 15 * DAY_S
    past = [Contact(f"p{n}", BEGIN + n * DAY_S / 10, f"{head}0101", place, "") for n in range(140)]
    today = [Contact(f"t{n}", begin + n, f"{head}0101", place, "") for n in range(300)]
    expected = Expected()
    for each in past + today:
        expected.learn(list(cells_of(each)), each.category, each.at)
    before = [expected.without((cells_of(each), each.at) for each in today)]
    found = heat_table(today, before, pack, begin, end)
    row = [code for code, _ in found.places].index(up_to(place, DivisionLevel.COUNTY))
    column = [code for code, _ in found.categories].index(head)
    assert found.counts[row][column] == 300
    assert found.expected and 8 < found.expected[row][column] < 12
    twice = heat_table(today, before * 2, pack, begin, end)
    assert twice.expected and 19 < twice.expected[row][column] < 21
    young = heat_table(today, before, pack, BEGIN + DAY_S, end)
    assert young.expected is None, "of one day's past nobody knows"


def test_whoever_looks_changes_nothing() -> None:
    read, left_alone = Expected(), Expected()
    for at, each in enumerate(usual(20)):
        for expected in (read, left_alone):
            expected.learn(list(cells_of(each)), each.category, each.at)
        if at % 97 == 0:
            read.without([]).within(("01", ""), each.at - DAY_S, each.at + 9 * HOUR_S)
    end = BEGIN + 20 * DAY_S
    cells = [("01", ""), ("", PLACES[0]), ("010101", PLACES[1])]
    spans = [(each, end - hours * HOUR_S, end) for each in cells for hours in (1, 7, 80)]
    assert [read.within(*span) for span in spans] == [left_alone.within(*span) for span in spans]


def test_a_report_holds_no_formula() -> None:
    cells = ("=1+cmd", "@SUM(A1)", "+1-1", "-2+3", "\t=1", "+12%", "停水", "3")
    table = ReportTable("t", ("a",), tuple((cell,) for cell in cells))
    text = as_csv(WarningReport("title", BEGIN, BEGIN + DAY_S, (table,)))
    told = [line for (line,) in csv.reader(io.StringIO(text.split("a\r\n", 1)[1]))]
    assert told == [*(f"'{cell}" for cell in cells[:5]), *cells[5:]]
