"""Names of places that are nowhere: to be said by voices, and to be taken for what was said."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST = (
    "金锦瑞祥嘉佳盛泰福安康宁和景云龙凤华明星阳春秀丽翠碧玉兰梅竹松柏桂荷湖江海峰林泉溪石"
    "新永兴隆昌达通顺德仁义信文武博雅颐馨香枫榆槐柳杏桃梨枣葛韩魏赵钱孙李周吴郑冯陈褚卫蒋沈"
)
SECOND = (
    "都城苑园庭府居馨怡逸景岸湾谷坡岭沟庄屯堡营寨坪台桥井泉河渠塘滩洲畔源原野田川水山石木林"
    "家门店铺街巷里坊祥瑞和顺安宁泰康福盛兴隆昌达明辉阳光星月云霞鹤鹏骏麟凤凰"
)
KINDS = (
    *("小区", "花园", "家园", "名苑", "华庭", "公寓", "广场", "市场", "大厦", "商城", "工业园"),
    *("路", "街", "巷", "大道", "桥", "村", "庄", "镇", "乡", "社区", "街道", "公园", "学校"),
)
SENTENCES = (
    *("我住在{}，楼道的灯坏了好几天了。", "{}这边晚上施工噪音太大了。", "{}的暖气一直不热。"),
    *("我想反映一下{}门口乱停车的问题。", "就是{}旁边那个垃圾站，味道特别大。"),
    *("麻烦您派到{}去看一下。", "{}那条路的路灯不亮。", "您说的是{}吗？", "{}的物业不给修电梯。"),
    *("从{}过去第二个路口，井盖丢了。", "对，就在{}，孩子上学不安全。", "{}的水停了两天了。"),
)


def names(seed: int = 1) -> Iterator[str]:
    """Different ones, without end but for some hundred thousand."""
    rng, known = random.Random(seed), set[str]()
    while True:
        name = rng.choice(FIRST) + rng.choice(SECOND) + rng.choice(KINDS)
        if name not in known:
            known.add(name)
            yield name
