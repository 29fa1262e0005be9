"""The knowledge base's peer: plain BM25 over jieba's words, as one would write it in an afternoon.

`python -m tools.peers.jieba_bm25 FILE` reads one JSON object with texts and questions, and prints
one with what it took. Postings in Python, k1 1.2, b 0.75. A bench's peer, not a product.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jieba
import numpy as np
import psutil

SATURATION, LENGTH, FOUND = 1.2, 0.75, 3
MIB = 1 << 20


class JiebaBm25:
    """Texts, searched by words."""

    def __init__(self, texts: Sequence[str]) -> None:
        words = [Counter(each for each in jieba.cut(text) if each.strip()) for text in texts]
        lengths = np.array([sum(each.values()) for each in words], np.float32)
        longer = SATURATION * (1 - LENGTH + LENGTH * lengths / lengths.mean())
        held: dict[str, list[tuple[int, int]]] = {}
        for at, each in enumerate(words):
            for word, count in each.items():
                held.setdefault(word, []).append((at, count))
        self._texts = len(texts)
        self._postings: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for word, some in held.items():
            at, count = np.array(some, np.int32).T
            idf = math.log1p((len(texts) - len(some) + 0.5) / (len(some) + 0.5))
            gain = idf * count * (SATURATION + 1) / (count + longer[at])
            self._postings[word] = at.copy(), gain.astype(np.float32)

    def search(self, question: str) -> list[int]:
        """Numbers of the texts that fit best."""
        scores = np.zeros(self._texts, np.float32)
        for word in jieba.cut(question):
            if word in self._postings:
                at, gain = self._postings[word]
                scores[at] += gain
        return [int(each) for each in np.argpartition(-scores, FOUND)[:FOUND]]


def measure(texts: Sequence[str], questions: Sequence[str]) -> dict[str, float]:
    """Also what jieba's own dictionary takes."""
    before, begun = psutil.Process().memory_info().rss, time.perf_counter()
    jieba.setLogLevel(60)
    index = JiebaBm25(texts)
    built_s = time.perf_counter() - begun
    took = []
    for each in questions:
        begun = time.perf_counter()
        index.search(each)
        took.append(1000 * (time.perf_counter() - begun))
    return {
        "import_s": round(built_s, 2),
        "search_p50_ms": round(float(np.median(took)), 2),
        "search_p95_ms": round(float(np.percentile(took, 95)), 2),
        "memory_mib": round((psutil.Process().memory_info().rss - before) / MIB, 1),
    }


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(measure(given["texts"], given["questions"])))


if __name__ == "__main__":
    main()
