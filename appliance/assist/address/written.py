"""Names as they are written, for gazetteers of a whole country: looked up, not listened for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from appliance.assist.address.forms import WORTH, Form
from appliance.phonetics.names import Sounded

FEW = 12  # places of one name that are all taken into account


class WrittenNames:
    """The forms of all names, whole and without their 区 or 镇.

    Args:
        lies: of each place, the trimmed codes of where it lies.
    """

    def __init__(self, forms: Sequence[Form], lies: Sequence[Sequence[str]]) -> None:
        self._forms, self._lies = forms, lies
        self._numbers: dict[str, list[int]] = {}
        lengths: dict[str, set[int]] = {}
        for number, form in enumerate(forms):
            for text in {form.text, form.text[: form.core[1]]}:
                self._numbers.setdefault(text, []).append(number)
                lengths.setdefault(text[:2], set()).add(len(text))
        self._lengths: Mapping[str, Sequence[int]] = {
            head: sorted(found, reverse=True) for head, found in lengths.items()
        }

    def heard(self, text: str) -> Iterator[Sounded]:
        """The names in `text`, of each place where one begins the longest two."""
        spans = list(self._spans(text))
        known = {
            code
            for start, end in spans
            if len(numbers := self._numbers[text[start:end]]) <= FEW
            for number in numbers
            for code in self._lies[self._forms[number].place]
        }
        for start, end in spans:
            for number in self._likely(self._numbers[text[start:end]], known):
                yield self._sounded(number, start, end)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for start in range(len(text) - 1):
            found = 0
            for length in self._lengths.get(text[start : start + 2], ()):
                if found < 2 and text[start : start + length] in self._numbers:
                    found += 1
                    yield start, start + length

    def _likely(self, numbers: Sequence[int], known: set[str]) -> Sequence[int]:
        """Of many places with one name, those in a division that is named as well."""
        if len(numbers) <= FEW:
            return numbers
        within = [
            number
            for number in numbers
            for code in self._lies[self._forms[number].place]
            if any(code[:length] in known for length in (4, 6))
        ]
        return (within or numbers)[:FEW]

    def _sounded(self, number: int, start: int, end: int) -> Sounded:
        form = self._forms[number]
        said = end - start
        worth = [WORTH[weight] for weight in form.weights]
        score = sum(each.gain for each in worth[:said])
        score -= sum(each.left_out for each in worth[said:])
        full = sum(each.gain for each in worth)
        return Sounded(number, start, end, score, score / full)
