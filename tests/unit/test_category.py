"""The category model: what it counts, learns, tells and keeps; on sentences made up here."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from appliance.assist.category import calibration, ridge, training
from appliance.assist.category.comparison import compare
from appliance.assist.category.examples import pack_rows
from appliance.assist.category.figures import ece, macro_f1
from appliance.assist.category.grams import OPENING, count_grams, occurrences
from appliance.assist.category.labels import Branches, above, are_codes
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.rows import Labelled, read_rows
from appliance.assist.category.spans import spans
from appliance.assist.category.training import fit, train, twins_of
from appliance.assist.city.taxonomy import Category, CategoryExample, Taxonomy
from appliance.errors import SettingsError, StoreDamaged
from tools.evaluation import category as evaluation

PLACES = ("我们小区", "解放路", "学校对面", "村里", "楼下", "单位门口", "三号楼", "市场旁边")
SAID = {
    "050401": ("暖气不热", "暖气片冰凉", "家里供暖才十五度", "暖气还没来"),
    "050402": ("热力公司乱收供暖费", "供暖费不给退", "采暖费太贵了", "停热也要交采暖费"),
    "0401": ("工地半夜施工噪音", "打桩机吵得睡不着", "夜里装修噪音大", "电锯声太吵"),
    "0602": ("公交车司机甩站", "公交车等一个小时", "公交司机骂人", "末班公交车不停"),
}


def rows() -> list[Labelled]:
    return [
        Labelled(label, f"{place}{what}{end}")
        for label, sentences in SAID.items()
        for what in sentences
        for place, end in zip(PLACES, ("", "，没人管", "") * 3, strict=False)
    ]


@pytest.fixture(scope="module")
def model() -> CategoryModel:
    return train(rows(), pack="test 1")


def long(text: str, times: int = 12) -> str:
    return "，".join([text, *("请有关部门尽快来人看一看", "谢谢领导") * times])


class TestGrams:
    def test_digits_case_and_width_do_not_matter(self) -> None:
        def of(text: str) -> list[int]:
            return count_grams([text]).key.tolist()

        assert of("2019年ＡＢ") == of("7年ab") != of("7年ac")

    def test_pairs_do_not_reach_over_punctuation_or_from_text_to_text(self) -> None:
        keys = count_grams(["热，冷", "车", "站"]).key
        assert (keys < 1 << 16).all()
        assert len(count_grams(["热冷"]).key) == 3

    def test_what_opens_a_text_is_counted_twice(self) -> None:
        found = count_grams(["暖气不热", ""], opening=2)
        opening = found.key[found.key >= OPENING]
        assert len(opening) == 3  # 暖, 气, 暖气
        assert set(opening - OPENING) <= set(found.key.tolist())
        assert found.texts == 2

    @given(st.lists(st.text(max_size=30), max_size=6), st.integers(0, 10))
    def test_texts_together_are_as_each_alone(self, texts: list[str], opening: int) -> None:
        together = count_grams(texts, opening)
        for number, text in enumerate(texts):
            alone = count_grams([text], opening)
            mine = together.text == number
            assert together.key[mine].tolist() == alone.key.tolist()
            assert together.count[mine].tolist() == alone.count.tolist()

    @given(st.text(max_size=40))
    def test_places_are_of_the_text_as_it_was_given(self, text: str) -> None:
        found = occurrences([text])
        assert (found.start < found.end).all() and (found.end <= len(text)).all()
        for key, start in zip(found.key.tolist(), found.start.tolist(), strict=True):
            assert key == count_grams([text[start]]).key[0] or key >> 16


class TestRidge:
    @staticmethod
    def sparse(count: int = 700) -> tuple[ridge.Sparse, np.ndarray[Any, Any]]:
        rng = np.random.default_rng(3)
        dense = rng.random((count, 90)) * (rng.random((count, 90)) < np.linspace(0.01, 0.6, 90))
        dense[:, 0] += 0.1
        dense = (dense / np.linalg.norm(dense, axis=1, keepdims=True)).astype(np.float32)
        row, feature = np.nonzero(dense)
        return ridge.Sparse(row, feature, dense[row, feature], dense.shape), dense

    def test_products_of_rare_and_common_features(self) -> None:
        x, dense = self.sparse()
        assert np.allclose(np.tril(ridge.gram(x)), np.tril(dense @ dense.T), atol=1e-5)

    def test_left_out_is_what_a_fit_without_the_row_and_its_twin_says(self) -> None:
        x, dense = self.sparse()
        targets = np.random.default_rng(4).random((len(dense), 2)).astype(np.float32)
        noise = np.linspace(0.2, 0.9, len(dense), dtype=np.float32)
        found = ridge.solve(ridge.gram(x), noise, targets, {5: [9]})
        for row, out in ((3, [3]), (5, [5, 9])):
            kept = np.delete(np.arange(len(dense)), out)
            square = dense[kept] @ dense[kept].T + np.diag(noise[kept])
            weights = np.linalg.solve(square, targets[kept])
            told = dense[row] @ dense[kept].T @ weights
            assert np.allclose(found.left_out[row], told, atol=1e-3)

    def test_weights_of_features_give_the_same_scores(self) -> None:
        x, dense = self.sparse(100)
        targets = np.eye(2, dtype=np.float32)[np.arange(100) % 2]
        found = ridge.solve(ridge.gram(x), np.full(100, 0.5, np.float32), targets, {})
        direct = dense @ dense.T @ found.weights
        assert np.allclose(dense @ ridge.project(x, found.weights), direct, atol=1e-3)


class TestBranches:
    def test_codes_of_two_digits_a_level(self) -> None:
        assert above("050301") == ("0503", "05")
        assert are_codes(["05", "0503"])
        assert not are_codes(["01", "02"]) and not are_codes(["0101", "投诉"])

    def test_the_right_branch_is_worth_something(self) -> None:
        told = Branches(["0401", "050401", "050402", "0501"]).targets()
        assert told[1].tolist() == [0, 2, 1, 0.5]  # 05, 0504 and itself; both; 05 alone

    def test_the_deepest_that_is_sure(self) -> None:
        branches = Branches(["0401", "050401", "050402", "0602"])
        shares = np.array(
            [[0.9, 0.05, 0.05, 0], [0.1, 0.45, 0.4, 0.05], [0.4, 0.2, 0.2, 0.2]], np.float32
        )
        told = branches.sure(shares, 0.7)
        assert told[0] and told[0][0] == "0401"
        assert told[1] and told[1][0] == "0504"
        assert told[1][1] == pytest.approx(0.85)
        assert told[2] is None

    def test_the_branch_may_be_another_than_that_of_the_likeliest_label(self) -> None:
        branches = Branches(["0401", "050401", "050402"])
        told = branches.sure(np.array([[0.35, 0.33, 0.32]], np.float32), 0.6)
        assert told[0] and told[0][0] == "0504"


class TestCalibration:
    def test_the_link_gives_back_what_was_drawn_by_it(self) -> None:
        rng = np.random.default_rng(0)
        scores = rng.normal(0.1, 0.3, (6000, 5)).astype(np.float32)
        drawn = calibration.Link(3.0, 8.0)(scores)
        right = (drawn.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
        found = calibration.fit(scores, right)(scores)
        assert np.abs(found - drawn).mean() < 0.02

    def test_separable_scores_do_not_run_away(self) -> None:
        scores = np.eye(3, dtype=np.float32).repeat(5, axis=0)
        shares = calibration.fit(scores, scores.argmax(axis=1))(scores)
        assert np.isfinite(shares).all() and (shares.max(axis=1) > 0.99).all()

    def test_it_abstains_where_wrong_answers_outweigh_right_ones(self) -> None:
        best = np.array([0.9] * 50 + [0.6] * 30 + [0.4] * 30, np.float32)
        right = np.array([True] * 50 + [True, True, True, False, True] * 6 + [False, True] * 15)
        assert calibration.least_sure(best, right) == pytest.approx(0.6)

    def test_figures(self) -> None:
        assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx((2 / 3 + 2 / 3) / 2)
        sure = np.array([0.95, 0.95, 0.55, 0.55], np.float32)
        gap = (abs(0.95 - 0.5) + abs(0.55 - 1)) / 2
        assert ece(sure, np.array([True, False, True, True])) == pytest.approx(gap)


class TestCategoryModel:
    def test_it_tells_matters_apart(self, model: CategoryModel) -> None:
        for text, label in (
            ("你好，我家暖气一直不热，才十几度", "050401"),
            ("隔壁工地半夜还在打桩，吵得睡不着", "0401"),
            ("公交车到站不停，司机还骂人", "0602"),
        ):
            guesses = model.guesses(text)
            assert guesses[0].label == label
            assert len(guesses) == 3
            assert 1 >= guesses[0].probability >= guesses[1].probability > 0
            told = model.answer(text)
            assert told and label.startswith(told.label)

    def test_what_says_nothing_has_no_guess(self, model: CategoryModel) -> None:
        for text in ("", "  ", "。。。！", "\ud800"):
            assert model.guesses(text) == ()
            assert model.answer(text) is None
            assert model.carried(text, "0401") == ()

    def test_it_abstains_from_what_it_has_not_heard_of(self, model: CategoryModel) -> None:
        assert model.answer("嗯嗯好的") is None

    def test_probabilities_add_up(self, model: CategoryModel) -> None:
        shares = model.probabilities(["暖气", "xyz", "公交车" * 3000])
        assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)

    def test_the_words_that_carried_it(self, model: CategoryModel) -> None:
        text = "你好，公交车司机甩站，麻烦问一下"
        spans = model.carried(text, "0602")
        words = [text[span.start : span.end] for span in spans]
        assert any("公交" in word or "甩站" in word for word in words)
        assert not any("你好" in word or "麻烦" in word for word in words)
        assert 0 < sum(span.weight for span in spans) <= 1 + 1e-6
        assert model.carried(text, "9") == ()

    def test_particles_at_its_ends_are_no_part_of_a_word(self) -> None:
        text = "天的恶霸了，天"
        found = occurrences([text])
        inside = (found.start >= 1) & (found.end <= 5)
        said = spans(text, found, np.where(inside, 1.0, 0.0), 3)
        assert [text[each.start : each.end] for each in said] == ["恶霸"]

    def test_a_branch_is_carried_by_the_words_of_what_is_under_it(
        self, model: CategoryModel
    ) -> None:
        text = "他们说采暖费不退"
        spans = model.carried(text, "0504")
        assert any("暖" in text[span.start : span.end] for span in spans)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=st.text(max_size=80))
    def test_any_text_is_taken(self, model: CategoryModel, text: str) -> None:
        for guess in model.guesses(text):
            assert 0 <= guess.probability <= 1
        for span in model.carried(text, "0504"):
            assert 0 <= span.start < span.end <= len(text)

    def test_one_text_of_a_call_takes_milliseconds(self, model: CategoryModel) -> None:
        text = long("暖气不热", 20)[:300]
        model.guesses(text)
        begun = time.perf_counter()
        for _ in range(20):
            model.guesses(text)
        assert (time.perf_counter() - begun) / 20 < 0.03  # ten times the aim: machines are busy


class TestTraining:
    def test_the_card_tells_what_was_dropped(self) -> None:
        given = [*rows(), *rows()[:7], Labelled("0401", " "), Labelled("0401", "……")]
        card = train(given, pack="datong 1").card
        assert (card.rows, card.duplicates, card.empty) == (len(rows()), 7, 2)
        assert card.pack == "datong 1" and card.figures["n"] == len(rows())

    def test_a_later_row_corrects_an_earlier_one(self) -> None:
        wrong = Labelled("0602", rows()[0].text)
        found = fit([wrong, *rows()])
        assert found.model.card.duplicates == 1
        assert [row.label for row in found.rows if row.text == wrong.text] == [rows()[0].label]

    def test_hints_are_learned_from_and_not_measured(self) -> None:
        found = fit([*rows(), Labelled("0401", "蛐蛐叫", hint=True), *rows()[:1]])
        assert found.model.card.hints == 1 and found.model.card.figures["n"] == len(rows())
        assert found.model.guesses("蛐蛐叫")[0].label == "0401"

    def test_a_hint_may_be_of_several_labels(self) -> None:
        hints = [Labelled(label, "收费", hint=True) for label in ("050402", "0602")]
        assert train([*rows(), *hints]).card.hints == 2

    @pytest.mark.parametrize(
        ("given", "cause"),
        [([], "no text"), ([Labelled("0401", "")], "no text"), (rows()[:9], "label 050401")],
    )
    def test_too_little_to_learn_from(self, given: list[Labelled], cause: str) -> None:
        with pytest.raises(SettingsError, match=cause) as error:
            train(given)
        assert error.value.hint

    def test_a_rare_label_counts_like_a_common_one(self) -> None:
        alphabet = [chr(0x4E00 + n) for n in range(200)]

        def draw(rng: np.random.Generator, label: str, count: int, share: float) -> list[Labelled]:
            asks = rng.random(count) < share
            return [
                Labelled(label, "请问" * int(a) + "".join(rng.choice(alphabet, 12))) for a in asks
            ]

        told = 0
        for seed in range(4):
            rng = np.random.default_rng(seed)
            found = fit([*draw(rng, "投诉", 300, 0.02), *draw(rng, "咨询", 12, 0.9)])
            rare = [row.label == "咨询" for row in found.rows]
            place = found.model.labels.index("咨询")
            told += int((found.left_out[rare].argmax(axis=1) == place).sum())
        assert told >= 30, told  # of 48; 5 where rows count alike

    def test_a_correction_may_count_more(self) -> None:
        def score(weight: float) -> float:
            old = [Labelled("0401", f"{side}井盖") for side in "东西南"]
            model = train([*rows(), *old, Labelled("0602", "北井盖", weight)])
            return float(model.scores(["井盖"])[0, model.labels.index("0602")])

        assert score(9.0) > score(1.0) + 0.05

    def test_what_opens_a_long_text_says_more_than_what_follows(self) -> None:
        given = [
            Labelled(label, f"{title}的问题，" + "，".join(["请有关部门尽快来人看一看"] * 6))
            for label, title in (("a", "井盖丢失"), ("b", "路灯不亮"))
        ]
        model = train(given)
        assert model.vocabulary.opening
        filler = "请有关部门尽快来人看一看" * 3
        for first, then, label in (("井盖丢失", "路灯不亮", "a"), ("路灯不亮", "井盖丢失", "b")):
            text = f"{first}，{filler}，{then}"
            scores = model.scores([text])[0]
            assert model.labels[int(scores.argmax())] == label
            for other, score in zip(model.labels, scores, strict=True):
                assert model.contributions(text, other)[1].sum() == pytest.approx(score, abs=1e-4)

    def test_twins_are_found_among_long_texts(self) -> None:
        one = "尊敬的领导，解放路北口的建材厂每天夜里偷排黑烟，气味刺鼻，居民不敢开窗，老人咳嗽不止"
        again = one.replace("尊敬的领导", "您好").replace("每天", "天天")
        other = "孩子在第三小学读书，学校要求统一购买平板电脑上课，每台三千多元，不买就调到普通班去"
        assert twins_of([one, other, again]) == {0: [2], 2: [0]}

    def test_what_was_written_twice_does_not_measure_itself(self) -> None:
        """Labels by chance: who leaves a text in and takes its twin out is right half the time."""
        rng = np.random.default_rng(0)
        alphabet = [chr(0x4E00 + n) for n in range(600)]
        given = []
        for n in range(60):
            text = "".join(rng.choice(alphabet, 60))
            given += [Labelled("ab"[n % 2], text), Labelled("ab"[n % 2], text + "急")]
        assert fit(given).model.card.figures["top1"] < 0.75

    def test_more_rows_than_can_be_trained_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(training, "MOST_ROWS", 60)
        many = [Labelled("0401", f"{p}第{q}天噪音") for p in PLACES for q in "一二三四五六七八九"]
        found = fit([*many, *rows()[:40]])
        assert found.model.card.left_out == len(many) + 40 - 60
        assert list(found.rows) == [*many[-26:], *rows()[6:40]]  # the oldest of the common ones

    def test_memory_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(training, "MOST_BYTES", 2000)
        small = train(rows())
        assert small.weights.level.nbytes <= 2000
        assert small.guesses("暖气不热")[0].label == "050401"

    def test_progress_is_told(self) -> None:
        told: list[str] = []
        train(rows(), progress=told.append)
        assert len(told) == 3

    def test_a_pack_alone_is_enough(self) -> None:
        names = {"050401": "温度不达标", "050402": "供暖收费", "0401": "噪音", "0602": "公交服务"}
        heads = [Category(code=code, name=code) for code in ("04", "05", "0504", "06")]
        heads[2] = Category(code="0504", name="供热", parent="05")
        leaves = [
            Category(
                code=code,
                name=name,
                parent=code[:-2],
                keywords=(SAID[code][0],),
                summary="供暖与出行的诉求；物业归物业",
            )
            for code, name in names.items()
        ]
        said = [CategoryExample(category=row.label, text=row.text) for row in rows()[::3]]
        given = list(pack_rows(Taxonomy([*heads, *leaves], said)))
        hints = [row.text for row in given if row.hint]
        assert "供热" not in hints and "温度不达标" in hints
        assert "供暖与出行的诉求" in hints and "物业归物业" not in hints
        assert train(given).guesses("家里暖气不热")[0].label == "050401"


class TestComparison:
    def test_what_learned_more_is_better(self) -> None:
        old = train([row for n, row in enumerate(rows()) if n % 16 == 0])
        found = compare(old, fit(rows()))
        assert found.old and found.new and found.fresh == len(rows()) - 8
        assert found.better and found.new.top1 > found.old.top1

    def test_what_learned_wrong_is_not(self, model: CategoryModel) -> None:
        labels = list(SAID)
        fresh = [Labelled(row.label, f"{row.text}急") for row in rows()]
        wrong = [Labelled(labels[n % 4], row.text) for n, row in enumerate(rows())]
        found = compare(model, fit([*wrong, *fresh[::3]]))
        assert found.fresh == len(fresh[::3]) and not found.better

    def test_without_fresh_texts_their_own_figures_decide(self, model: CategoryModel) -> None:
        found = compare(model, fit(rows()))
        assert found.fresh == 0 and found.old is None and found.better


class TestStorage:
    def test_it_comes_back_as_it_was(self, model: CategoryModel, tmp_path: Path) -> None:
        path = tmp_path / "category.model"
        model.save(path)
        again = CategoryModel.load(path)
        texts = [row.text for row in rows()]
        assert (again.probabilities(texts) == model.probabilities(texts)).all()
        assert again.card == model.card and again.labels == model.labels
        assert (again.known == model.known).all() and again.sure == model.sure
        model.save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()

    def test_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="train it"):
            CategoryModel.load(tmp_path / "none")

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(cut=st.floats(0, 1), flip=st.booleans(), bit=st.integers(0, 7))
    def test_damage_is_told(
        self, model: CategoryModel, tmp_path: Path, cut: float, flip: bool, bit: int
    ) -> None:
        path = tmp_path / "damaged"
        model.save(path)
        data = bytearray(path.read_bytes())
        at = int(cut * (len(data) - 1))
        if flip:
            data[at] ^= 1 << bit
        else:
            del data[at:]
        path.write_bytes(data)
        try:
            again = CategoryModel.load(path)
        except StoreDamaged:
            return
        assert flip, "a part of a file was taken"  # a bit of a date or an attribute tells nothing
        assert (again.weights.level == model.weights.level).all()

    @pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04N.", b"{}"])
    def test_other_files(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "other"
        path.write_bytes(data)
        with pytest.raises(StoreDamaged):
            CategoryModel.load(path)

    def test_a_header_that_does_not_fit(self, model: CategoryModel, tmp_path: Path) -> None:
        path = tmp_path / "model"
        model.save(path)
        with np.load(path) as arrays:
            parts = {name: arrays[name] for name in arrays.files}
        header = json.loads(parts["header"].tobytes())
        for change in ({"format": 2}, {"labels": ["a", "a"]}, {"link": [float("nan"), 1]}):
            parts["header"] = np.frombuffer(json.dumps(header | change).encode(), np.uint8)
            with path.open("wb") as file:
                np.savez(file, **parts)
            with pytest.raises(StoreDamaged):
                CategoryModel.load(path)


class TestRows:
    def test_encodings_and_compression(self, tmp_path: Path) -> None:
        text = 'label,text\n投诉,"暖气不热，\n没人管"\n咨询,\n'
        given = [Labelled("投诉", "暖气不热，\n没人管"), Labelled("咨询", "")]
        for name, data in (
            ("a.csv", text.encode()),
            ("b.csv", text.encode("utf-8-sig")),
            ("c.csv", text.encode("gb18030")),
            ("d.csv.gz", gzip.compress(text.encode())),
        ):
            (tmp_path / name).write_bytes(data)
            assert read_rows(tmp_path / name) == given

    def test_columns(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("id,kind,label,title,text,words\n1,a,b,题目,正文,我 家 A1 区\n", "utf-8")
        assert read_rows(path) == [Labelled("b", "题目。正文。我家A1区")]
        assert read_rows(path, label="kind", text=["words"]) == [Labelled("a", "我家A1区")]

    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            (b"kind,text\na,b\n", "no column label"),
            (b"label,body\na,b\n", "no column text"),
            (b"label,text\na,b\n,c\n", ":3: no label"),
            (b"\xff\xff\xff", "neither UTF-8"),
            (b"\x1f\x8bxx", "gz"),
            (b"", "no column label"),
        ],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, data: bytes, cause: str) -> None:
        path = tmp_path / "a.gz"
        path.write_bytes(data)
        with pytest.raises(SettingsError, match=cause):
            read_rows(path)


class TestEvaluation:
    @staticmethod
    def run(*arguments: str) -> tuple[int, str]:
        app = typer.Typer()
        app.command()(evaluation.category)
        found = CliRunner().invoke(app, arguments)
        return found.exit_code, found.output

    @staticmethod
    def write(path: Path, given: list[Labelled]) -> str:
        lines = [f"{row.label},{row.text}" for row in given]
        path.write_text("\n".join(["label,text", *lines]), "utf-8")
        return str(path)

    def test_one_file_measured_by_another(self, tmp_path: Path) -> None:
        learned = self.write(tmp_path / "a.csv", rows()[::2])
        held = self.write(tmp_path / "b.csv", rows()[1::2])
        code, told = self.run("--train", learned, "--data", held, "--json")
        found = json.loads(told.splitlines()[-1])
        assert code == 0 and found["n"] == len(rows()) // 2 and found["top1"] > 0.9
        assert {"top3", "macro_f1", "ece", "abstain_rate", "messages_per_s"} <= set(found)
        assert self.run("--train", learned, "--data", held)[0] == 0

    def test_folds(self, tmp_path: Path) -> None:
        given = self.write(tmp_path / "a.csv", rows())
        code, told = self.run("--train", given, "--folds", "4", "--json")
        found = json.loads(told.splitlines()[-1])
        assert code == 0 and found["n"] == len(rows()) and found["top1"] > 0.9

    def test_no_model_has_seen_the_matter_it_is_measured_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rng = np.random.default_rng(1)
        alphabet = [chr(0x4E00 + n) for n in range(900)]
        matters = ["".join(rng.choice(alphabet, 50)) for _ in range(30)]
        held = [Labelled("ab"[n % 2], f"{text}{n}") for n, text in enumerate(matters * 2)]
        held = [Labelled(row.label, f"{row.text}急" * (n // 30 + 1)) for n, row in enumerate(held)]
        more = [Labelled("ab"[n % 2], text[3:]) for n, text in enumerate(matters)]
        seen: list[set[str]] = []

        def spy(given: list[Labelled], **rest: Any) -> CategoryModel:
            seen.append({row.text[10:40] for row in given})
            return train(given, **rest)

        monkeypatch.setattr(evaluation, "train", spy)
        assert evaluation.cross_validate(held, more, 3, print).figures.n == 60
        inside = [
            sum(text[13:43] in each or text[10:40] in each for each in seen) for text in matters
        ]
        assert inside == [2] * 30  # three models, each matter unknown to one

    def test_what_is_in_both_files_is_told(self, tmp_path: Path) -> None:
        given = self.write(tmp_path / "a.csv", rows())
        told = self.run("--train", given, "--data", given)[1]
        assert f"{len(rows())} texts of --data are in --train" in told

    def test_wrong_arguments(self, tmp_path: Path) -> None:
        given = self.write(tmp_path / "a.csv", rows())
        for arguments in (
            ("--train", given),
            ("--train", given, "--folds", "1"),
            ("--train", given, "--folds", "9999"),
            ("--train", str(tmp_path / "none.csv"), "--folds", "3"),
        ):
            code, told = self.run(*arguments)
            assert code == 2 and "eval category:" in told
