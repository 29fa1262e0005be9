"""Surnames: which there are, which sound alike, and how people tell theirs apart (弓长张)."""

from __future__ import annotations

import re
from functools import lru_cache

from appliance.assist.slots.turns import CACHED

_TWO_CHARACTERS = (
    "欧阳 司马 上官 诸葛 东方 皇甫 尉迟 公孙 令狐 呼延 端木 夏侯 长孙 宇文 独孤 "
    "南宫 西门 慕容 轩辕 闻人 申屠 司徒 司空 鲜于 拓跋 澹台 公冶 宗政 濮阳 淳于 "
    "单于 太叔 仲孙 钟离 百里 第五 完颜"
)
COMPOUND = _TWO_CHARACTERS.split()
SINGLE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪"
    "庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷曲盛冉蓝路游辛靳管柴蒙鲍华喻祁蒲房滕"
    "屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁"
    "沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝官封谈匡鞠惠荆乐冀郁胥南班储原栗燕楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海"
    "阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计索宣晋相初门云容敬来扈晁芮都普阙浦戈伏鹿薄邸雍辜羊阿乌母裘亓修邰赫杭"
    "况那宿鲜印逯隆茹诺战慕危玉银亢嵇公哈湛宾戎勾茅利於呼居揭干但尉冶斯元束檀衣信展阴昝智幸奉植衡富尧闭由贡阎鱼昌仁郗兀元弓洪傅萧骆秋赖常代"
)
_NAMES = "|".join(sorted((*COMPOUND, *dict.fromkeys(SINGLE)), key=len, reverse=True))
SURNAME = f"(?:{_NAMES})"  # a regular expression

_SOUNDING_ALIKE = (
    "张章 王汪 李黎厉 陈程成谌 许徐 吴伍武巫 余于俞喻虞鱼 江姜蒋 何贺和 林凌蔺 "
    "齐戚祁漆 季纪吉姬冀 闫阎颜严燕 申沈 卢路陆芦鲁逯 付傅符 解谢 石史施师时 童佟 "
    "魏卫韦位尉 金靳晋 常昌 龚宫巩 项向相 汤唐 肖萧 代戴 边卞 尚商 柳刘 邱裘仇 "
    "袁原元 兰蓝 孟蒙 苗缪 仝佟 任仁 连廉练 岳乐 詹展 毛茅 方房 冯丰 胡扈 华花 "
    "谭覃谈檀 温文闻 席郗 辛幸信 易伊 殷尹阴印 尤游 葛戈 顾古谷 管官关 郭国 荆井 "
    "敬景 麻马 穆慕 潘盘 朴普浦 曲屈 荣容戎 涂屠 阳杨羊 姚尧 郁玉 朱祝褚"
)
_ALIKE = _SOUNDING_ALIKE.split()
# What a surname is made of, or a word it is in, and the surname.
_SPELLINGS = (
    "立早章 音十章 弓长张 双木林 耳东陈 言午许 口天吴 双人徐徐 双口吕 木子李 三横王王 三横一竖王 "
    "草头黄黄 大肚黄黄 田共黄 古月胡 关耳郑 奠耳郑 人可何 走肖赵 禾呈程 禾口王程 禾火秋 干勾于 "
    "干钩于 "
    "人未余 人则俞 木土杜 木易杨 召耳邵 刀口耳邵 开耳邢 赤耳郝 又耳邓 登耳邓 西贝贾 四维罗 四夕罗 "
    "龙共龚 委鬼魏 文刀刘 卯金刀刘 言身寸谢 美女姜姜 羊女姜 生姜姜 丘山岳 子小孙 小子孙孙 十豆彭 "
    "三撇彭彭 加贝贺 贝加贺 两点马冯 二马冯 两点水马冯 人王全 言己纪 女兆姚 士口吉 革斤靳 木每梅 "
    "竹官管 门三闫 门字框三闫 三个耳聂 双耳聂聂 草办苏 草头苏苏 单立人付付 立人付付 付款的付付 "
    "师傅的傅傅 阎王的阎阎"
)
_PARTS = {spelling[:-1]: spelling[-1] for spelling in _SPELLINGS.split()}
_RADICALS = {
    "三点水": "汪江沈潘洪汤温游池沙滕涂满漆",
    "两点水": "冯凌冷",
    "草字头": "范苏蒋薛葛蔡董黄庄荣莫芦苗萧蓝芮茅荆",
    "草头": "范苏蒋薛葛蔡董黄庄荣莫芦苗萧蓝",
    "单人旁": "何任付侯伍倪傅佟佘储位信修",
    "单立人": "何任付侯伍倪傅佟佘储位信修",
    "双人": "徐",
    "双立人": "徐",
    "宝盖": "宋安宁宫宗富容官寇",
    "走字": "赵",
    "走之": "连迟边逯",
    "耳刀": "陈郑邓邵阮邢郝邱邹郁郜郎鄢邬邝",
    "耳朵": "陈郑邓邵阮邢郝邱邹郁郜郎鄢邬邝",
    "右耳": "郑邓邵邢郝邱邹郁郜郎鄢邬邝",
    "左耳": "陈阮",
    "木字": "林杨柳梅杜柯柏桂权朴",
    "金字": "钱钟",
    "言字": "许谢谭计谌",
    "竹字": "管简",
    "女字": "姜姚姬娄",
    "雨字": "雷霍",
    "王字": "汪",
    "门字": "闫阎闻闵阚",
    "刑字": "邢",
}
_SPELLED = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)))
_RADICAL = re.compile("|".join(sorted(_RADICALS, key=len, reverse=True)))
_WORD = re.compile(rf"([一-鿿]{{1,4}})(?:的|那个|这个)那?个?({SURNAME})(?!先生|女士|姓)")
_JUST = re.compile(rf"(?:就是|那个|还是|应该是)({SURNAME})(?=[，。！？\s]|$)")


@lru_cache(maxsize=256)
def alike(surname: str) -> frozenset[str]:
    """The surnames that sound like this one, without it."""
    sounding = {each for group in _ALIKE if surname in group for each in group}
    return frozenset(each for each in sounding - {surname} if each in SINGLE)


@lru_cache(maxsize=CACHED)
def spelled(text: str, stated: str) -> str:
    """The surname that `text` explains (弓长张, 周围的周, 三点水那个), "" if it explains none.

    Args:
        stated: the surname as it was recognised, of which the explained one is a homophone.
    """
    near = alike(stated) | {stated}
    for parts in _SPELLED.finditer(text):
        name = _PARTS[parts[0]]
        whole = re.match(rf"{name}(?=[，。、的\s]|$)", text[parts.end() :])
        if whole or not stated or name in near:
            return name
    radical = _RADICAL.search(text)
    if radical:
        fitting = [name for name in _RADICALS[radical[0]] if name in near]
        if len(fitting) == 1:
            return fitting[0]
    words = [match[2] for match in _WORD.finditer(text)] + [m[1] for m in _JUST.finditer(text)]
    fitting = [name for name in words if not stated or name in near]
    return fitting[-1] if fitting else ""
