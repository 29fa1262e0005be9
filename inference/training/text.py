"""Sentences for the demo model: hotline talk from a grammar, and much that is no hotline talk.

A model trained on templates alone answers every noise with the nearest template. So most of what is
drawn here cannot be guessed from what came before: word sequences in the shapes of Chinese phrases,
idioms, digit strings of every length. All text is in spoken form: characters, "，。？", no digits.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
PUNCTUATION = "，。？"
DIGITS = "零一二三四五六七八九"
_SLOT = re.compile(r"\{(#?)(\w+)\}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_MAX_CHARACTERS = 46  # about ten seconds of speech


def characters() -> list[str]:
    """The fixed character vocabulary, most useful first; the model can write nothing else."""
    return list((HERE / "characters.txt").read_text(encoding="utf-8").replace("\n", ""))


def plain(text: str) -> str:
    """Text without punctuation, with 幺 as 一: the key under which sentences count as equal."""
    return text.translate({ord(mark): None for mark in PUNCTUATION}).replace("幺", "一")


def read_digits(digits: str, yao: bool = True) -> str:
    """`digits` one by one: "139" -> 幺三九, or 一三九 where `yao` is false."""
    spoken = "".join(DIGITS[int(digit)] for digit in digits)
    return spoken.replace("一", "幺") if yao else spoken


def read_number(value: int) -> str:
    """A whole number from 0 to 99 999 999 as it is said: 10050 -> 一万零五十."""
    if value < 10:
        return DIGITS[value]
    if value < 20:
        return "十" + (DIGITS[value % 10] if value % 10 else "")
    for size, word in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if value >= size:
            head, rest = divmod(value, size)
            spoken = read_number(head) + word
            if rest == 0:
                return spoken
            gap = "零" if rest < size // 10 else ""
            tail = read_number(rest)
            return spoken + gap + ("一" + tail if tail.startswith("十") else tail)
    raise AssertionError(value)


class Numbers:
    """Number slots of the grammar (`{#name}`), drawn from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._makers: dict[str, Callable[[], str]] = {
            "small": lambda: read_number(rng.randint(1, 28)),
            "cnt": lambda: rng.choice(["一", "两", "三", "四", "五", "六", "七", "八", "九", "十"]),
            "room": self._room,
            "doorno": lambda: read_number(rng.randint(1, 400)),
            "temp": lambda: read_number(rng.randint(8, 24)),
            "weekday": lambda: rng.choice("一二三四五六天"),
            "month": lambda: read_number(rng.randint(1, 12)),
            "day": lambda: read_number(rng.randint(1, 31)),
            "year": lambda: read_digits(str(rng.randint(1978, 2027)), yao=False),
            "age": lambda: read_number(rng.randint(16, 97)),
            "pct": lambda: read_number(rng.randint(1, 100)),
            "hour": self._hour,
            "money": self._money,
            "price": self._price,
            "phone": self._phone,
            "landline": self._landline,
            "digits": self._digits,
            "idno": self._identity,
            "jobno": lambda: self._string(rng.randint(2, 5)),
            "plate": lambda: self._string(5),
            "letter": lambda: rng.choice(["比", "西", "地", "诶"]),
            "rarename": lambda: rng.choice("王李张刘陈杨赵黄周吴") + rng.choice("伟明丽平"),
        }

    def __call__(self, name: str) -> str:
        return self._makers[name]()

    def _string(self, length: int) -> str:
        return read_digits(self._random(length), self._rng.random() < 0.75)

    def _random(self, length: int) -> str:
        """Digits that often repeat, as real numbers do: 6666, 1212; repeats are the hard part."""
        digits = "".join(self._rng.choice("0123456789") for _ in range(length))
        if length > 3 and self._rng.random() < 0.5:
            at = self._rng.randrange(length - 2)
            unit = digits[at : at + self._rng.choice([1, 1, 2])]
            digits = digits[:at] + unit * self._rng.choice([2, 2, 3, 4]) + digits[at:]
        return digits[:length]

    def _phone(self) -> str:
        yao = self._rng.random() < 0.8
        return read_digits("1" + self._rng.choice("3456789") + self._random(9), yao)

    def _landline(self) -> str:
        area = self._rng.choice(["0352", "", "", "010", "0351"])
        return read_digits(area + self._rng.choice("25678") + self._random(6))

    def _identity(self) -> str:
        body = "".join(self._rng.choice("0123456789") for _ in range(8))
        born = f"{self._rng.randint(1940, 2015)}{self._rng.randint(1, 12):02d}"
        return read_digits(("1402" + born + body)[:18])

    def _digits(self) -> str:
        return self._string(self._rng.choice([2, 3, 4, 4, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 14, 16]))

    def _room(self) -> str:
        floor, door = self._rng.randint(1, 33), self._rng.randint(1, 4)
        return read_digits(f"{floor}{door:02d}", self._rng.random() < 0.5) + self._rng.choice(
            ["", "", "室", "号"]
        )

    def _hour(self) -> str:
        tail = self._rng.choice(
            ["点", "点", "点半", "点一刻", "点十分", "点二十", "点四十", "点多"]
        )
        return self._rng.choice(["两", *map(read_number, range(1, 13))]) + tail

    def _money(self) -> str:
        high = 10 ** self._rng.randint(2, 6)
        value = self._rng.randint(high // 10, high)
        keep = 10 ** max(0, len(str(value)) - self._rng.randint(1, 4))
        return read_number(max(10, value // keep * keep))

    def _price(self) -> str:
        whole = read_number(self._rng.randint(1, 40))
        return (
            f"{whole}块{self._rng.choice(DIGITS[1:])}" if self._rng.random() < 0.6 else whole + "元"
        )


class TextGrammar:
    """The context-free grammar of `grammar.txt`: `expand("citizen")` draws one sentence."""

    def __init__(self, rng: random.Random, path: Path = HERE / "grammar.txt") -> None:
        self._rng = rng
        self._numbers = Numbers(rng)
        self._rules = dict(self._parse(line) for line in self._lines(path))

    @staticmethod
    def _lines(path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.strip() and not line.startswith("#")]

    @staticmethod
    def _parse(line: str) -> tuple[str, list[str]]:
        name, _, body = line.partition(":")
        alternatives: list[str] = []
        for raw in body.split("|"):
            weight, star, text = raw.strip().partition("*")
            alternatives += [text] * int(weight) if star else [raw.strip()]
        return name.strip(), ["" if text == "~" else text for text in alternatives]

    def expand(self, rule: str) -> str:
        return self._fill("{" + rule + "}")

    def number(self, name: str) -> str:
        return self._numbers(name)

    def _fill(self, text: str) -> str:
        return _SLOT.sub(self._slot, text)

    def _slot(self, match: re.Match[str]) -> str:
        if match[1]:
            return self._numbers(match[2])
        return self._fill(self._rng.choice(self._rules[match[2]]))


_words = str.split
_FUNCTION_WORDS = {
    "DE": _words("的"),
    "LE": _words("了 了 过 着"),
    "PREP": _words("在 把 被 给 跟 和 对 从 到 向 为 用 让 叫 比 按 往 由 替"),
    "ADV": _words(
        "不 没 都 也 还 就 才 又 再 很 太 最 更 真 挺 特别 非常 已经 正在 马上 一直 "
        "总是 经常 可能 应该 根本 到底 大概 差不多 刚 只 别 必须 当然 其实 突然 赶紧 "
        "慢慢 好像"
    ),
    "PRON": _words(
        "我 你 他 她 它 我们 你们 他们 咱们 大家 自己 人家 这个 那个 这些 那些 这 那 "
        "谁 什么 哪个 这里 那里 这边 那边 这样 那样 怎么 为什么 多少 几个"
    ),
    "CONJ": _words(
        "和 跟 或者 但是 可是 不过 因为 所以 如果 要是 虽然 而且 然后 还有 就是 比如 结果 只要"
    ),
    "END": _words("了 吗 呢 吧 啊 的 呀 了 了 ~ ~ ~ ~"),
    "DIR": _words("上 下 里 外 前 后 里面 外面 上面 下面 旁边 中间 之前 之后 以后 以前"),
    "MOD": _words("能 会 要 想 可以 得 敢 肯 愿意 应该 需要 打算"),
    "COMP": _words("好 完 到 见 出来 下去 起来 过去 回来 清楚 不了 得很 上 掉 开 住 走"),
}
_SHAPES = """
PRON ADV v LE n END
n ADV a END
PRON PREP n DIR v n
v n DE n
a DE n ADV v LE
PRON MOD v n END
n CONJ n ADV v END
m q n
PRON DE n ADV a
ns DE n
n v n
PRON ADV MOD v COMP n
t PRON v LE n
PREP n v COMP LE END
v v n
n n n
i
l
i i
a n
d v n
s v LE m q n
nr ADV v PRON
PRON v PRON v n
CONJ PRON ADV v LE
n PREP n a
v LE m q n
PRON PREP PRON v n END
t ns n v
n v COMP LE
vn n
nz n
PRON l
n ADV i
nr DE n
nt v n
b n DE vn
z DE n
j n
PRON ADV ADV v END
ADV v END
v COMP n DIR
n
v
a
v ADV v END
PRON MOD ADV MOD v END
""".strip().splitlines()


class WordList:
    """Word sequences from jieba's dictionary in the shapes of Chinese phrases."""

    def __init__(self, rng: random.Random, allowed: set[str]) -> None:
        self._rng = rng
        self._allowed = allowed

    @cached_property
    def _lexicon(self) -> dict[str, tuple[list[str], list[float], list[float]]]:
        """Part of speech -> words with two cumulative weights: by frequency, and flatter."""
        import jieba

        found: dict[str, dict[str, int]] = {}
        path = Path(jieba.__file__).parent / "dict.txt"
        for line in path.read_text(encoding="utf-8").splitlines():
            word, count, pos = line.split()
            if len(word) <= 5 and _HAN.fullmatch(word) and self._allowed.issuperset(word):
                found.setdefault(pos, {})[word] = int(count)
        return {pos: self._weigh(words) for pos, words in found.items()}

    @staticmethod
    def _weigh(words: dict[str, int]) -> tuple[list[str], list[float], list[float]]:
        common = itertools.accumulate((count + 1) ** 0.75 for count in words.values())
        flat = itertools.accumulate((count + 1) ** 0.25 for count in words.values())
        return list(words), list(common), list(flat)

    def _pick(self, pos: str) -> str:
        if pos in _FUNCTION_WORDS:
            word = self._rng.choice(_FUNCTION_WORDS[pos])
            return "" if word == "~" else word
        words, common, flat = self._lexicon[pos]
        weights = common if self._rng.random() < 0.6 else flat
        return self._rng.choices(words, cum_weights=weights)[0]

    def phrase(self) -> str:
        """One phrase, 1 to about 12 characters."""
        return "".join(self._pick(pos) for pos in self._rng.choice(_SHAPES).split())

    def sentence(self) -> str:
        """One to four phrases with punctuation."""
        phrases = [self.phrase() for _ in range(self._rng.choice([1, 2, 2, 3, 3, 4]))]
        return "，".join(phrases) + self._rng.choice("。。。？")


class Sentences:
    """Draws training sentences; never one whose words are in `forbidden` (keys made by `plain`)."""

    def __init__(self, seed: int, forbidden: frozenset[str] = frozenset()) -> None:
        self._rng = random.Random(seed)
        self._allowed = set(characters())
        self._forbidden = forbidden
        self.grammar = TextGrammar(self._rng)
        self.words = WordList(self._rng, self._allowed)
        self._kinds: dict[str, tuple[int, Callable[[], str]]] = {
            "template": (28, self._template),
            "everyday": (16, lambda: self.grammar.expand("everyday")),
            "story": (12, lambda: self.grammar.expand("everyday_s")),
            "words": (16, self.words.sentence),
            "mixed": (8, self._mixed),
            "digits": (16, self._digits),
            "colloquial": (8, self._colloquial),
        }

    def draw(self, kind: str | None = None) -> str:
        """One sentence of at most 46 characters, of `kind` or of a drawn one."""
        while True:
            text = self._kinds[kind or self._kind()][1]()
            fits = len(text) <= _MAX_CHARACTERS and self._allowed.issuperset(text)
            if fits and plain(text) not in self._forbidden:
                return text

    def _kind(self) -> str:
        weights = [weight for weight, _ in self._kinds.values()]
        return self._rng.choices(list(self._kinds), weights)[0]

    def _template(self) -> str:
        return self.grammar.expand(self._rng.choice(["citizen", "citizen", "agent"]))

    def _mixed(self) -> str:
        """A template with foreign words before, inside or after it."""
        parts = re.split("(?<=[，。？])", self._template())
        parts.insert(self._rng.randrange(len(parts)), self.words.phrase() + "，")
        return "".join(parts)

    def _digits(self) -> str:
        slot = self._rng.choice(
            ["phone"] * 4 + ["digits"] * 4 + ["landline", "idno", "money", "room", "price", "year"]
        )
        number = self.grammar.number(slot)
        before = self._rng.choice(
            ["", "", "我的电话是", "号码", "是", "编号", "，", self.words.phrase()]
        )
        after = self._rng.choice(["", "", "", "对", "，谢谢", "，" + self.words.phrase()])
        return (before + number + after).lstrip("，") + "。"

    @cached_property
    def _clauses(self) -> list[str]:
        text = (HERE / "colloquial.txt").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    def _colloquial(self) -> str:
        clauses = self._rng.sample(self._clauses, self._rng.choice([1, 1, 2, 3]))
        return "，".join(clause.rstrip(PUNCTUATION) for clause in clauses) + (
            "？" if clauses[-1].endswith("？") else "。"
        )
