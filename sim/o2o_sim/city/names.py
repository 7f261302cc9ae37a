"""Names of shops, dishes and people, from word lists written for this project.

Decides the words and how they combine; which shop gets which is chance of the caller. All words are in GB 18030, the
encoding of the ticket printers. A dish carries a level, 0 (cheapest) to 1, that its price is laid out by.
"""

from __future__ import annotations

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静磊洋艳勇军杰娟涛明超霞平刚桂英华玉兰建文辉鑫婷雪慧浩宇晨佳欣怡子轩梓涵"
_BRANDS = _words(
    """
    老街口 小满 福满园 阿婆 一品香 大碗 巷子里 食光 聚香阁 川江号子 东篱 知味 渔米乡 三餐
    麦香村 金灶台 江湖 阿强 喜乐 四季 山外山 望江楼 百味轩 好运来 外婆桥 鲜语 热锅 大山里 老灶
    竹里 味之源 禾田 拾味 客满堂 蜀巷 两只碗
    """
)
_ROADS = _words(
    """
    人民路 中山路 解放路 文一路 学院路 建设路 和平路 滨江路 延安路 湖滨路 体育场路 新华路 长江路
    凤起路 莫干山路 教工路 古墩路 庆春路 天目路 望江路 北环路 南大街 东大街 西街 科技园 万达广场
    大学城 火车站 软件园 会展中心
    """
)

# Cuisine: what shops call themselves, and its dishes as "name:level in percent".
_CUISINES: dict[str, tuple[str, str]] = {
    "川菜": (
        "川菜馆 小炒 家常菜",
        """
        鱼香肉丝:45 宫保鸡丁:48 麻婆豆腐:30 回锅肉:55 水煮鱼:95 水煮肉片:85 辣子鸡:80 夫妻肺片:60 口水鸡:58
        蒜泥白肉:52 干煸四季豆:35 酸菜鱼:90 毛血旺:88 鱼香茄子:33 红油抄手:28 担担面:22 青椒肉丝盖饭:32
        回锅肉盖饭:36 麻婆豆腐盖饭:26 川味凉面:18
        """,
    ),
    "粤菜": (
        "粤菜馆 烧腊 茶餐厅",
        """
        叉烧饭:45 烧鹅饭:60 白切鸡饭:48 豉汁排骨饭:42 腊味煲仔饭:50 干炒牛河:44 星洲炒米:40 虾饺皇:38 烧卖:30
        肠粉:22 皮蛋瘦肉粥:20 艇仔粥:24 咖喱牛腩饭:55 滑蛋虾仁饭:52 菠萝咕咾肉:62 清蒸鲈鱼:92 蜜汁叉烧:70
        云吞面:28 双拼烧味饭:66 蚝油生菜:25
        """,
    ),
    "面馆": (
        "面馆 牛肉面 拉面",
        """
        红烧牛肉面:45 清汤牛肉面:42 番茄鸡蛋面:28 雪菜肉丝面:30 炸酱面:32 油泼面:27 刀削面:30 葱油拌面:18
        片儿川:35 阳春面:12 大排面:40 肥肠面:48 牛腩面:52 羊肉烩面:55 酸汤肥牛面:50 麻辣小面:22 凉拌牛肉:70
        牛肉炒面:42 鸡丝凉面:26 三鲜面:34
        """,
    ),
    "饺子": (
        "饺子馆 饺子云吞 水饺",
        """
        猪肉白菜水饺:30 猪肉芹菜水饺:32 韭菜鸡蛋水饺:26 三鲜水饺:42 牛肉大葱水饺:45 羊肉胡萝卜水饺:48 虾仁玉米水饺:52
        酸菜猪肉水饺:34 鲅鱼水饺:60 香菇素水饺:24 鲜肉锅贴:28 鲜肉馄饨:22 虾肉馄饨:36 酸汤水饺:34 煎饺:27
        荠菜馄饨:24 牛肉锅贴:38 红油馄饨:26
        """,
    ),
    "米线": (
        "米线 过桥米线 米粉",
        """
        招牌过桥米线:45 酸菜米线:28 番茄牛腩米线:50 麻辣米线:30 肥牛米线:48 砂锅米线:36 三鲜米线:40 小锅米线:32
        螺蛳粉:34 桂林米粉:26 牛肉粉:42 酸辣粉:22 干捞粉:30 鸡汤米线:38 卤肉米粉:35 老友粉:33
        """,
    ),
    "快餐": (
        "便当 快餐 盖浇饭 简餐",
        """
        黄焖鸡米饭:42 排骨饭:46 卤肉饭:34 照烧鸡腿饭:44 台式三杯鸡饭:48 梅菜扣肉饭:46 番茄炒蛋盖饭:24 土豆牛腩饭:52
        鱼香肉丝盖饭:34 香煎鸡排饭:40 黑椒牛柳饭:56 宫保鸡丁盖饭:36 扬州炒饭:28 咖喱鸡饭:38 农家小炒肉盖饭:42
        红烧狮子头饭:45 咖喱猪排饭:48 双拼便当:60
        """,
    ),
    "烧烤": (
        "烧烤 烤串 烤吧",
        """
        羊肉串十串:70 牛肉串十串:68 烤鸡翅四只:45 烤五花肉:48 烤茄子:26 烤韭菜:18 烤金针菇:22 烤鱿鱼:52 烤生蚝六只:85
        烤羊排:98 烤玉米:14 烤馒头片:12 蒜蓉粉丝扇贝:78 烤秋刀鱼:40 烤豆皮:20 烤脆骨:42 烤鱼单人份:90 炒花甲:56
        """,
    ),
    "轻食": (
        "轻食 沙拉 能量碗",
        """
        鸡胸肉沙拉:50 牛油果沙拉:62 金枪鱼沙拉:58 藜麦能量碗:65 烟熏三文鱼碗:90 全麦鸡肉卷:46 凯撒沙拉:48 虾仁沙拉:66
        荞麦鸡丝面:44 低脂牛肉碗:70 水煮蛋两枚:14 紫薯:16 南瓜浓汤:28 全麦三明治:38 鸡蛋蔬菜卷:34 时蔬水果杯:32
        """,
    ),
    "西式快餐": (
        "汉堡 炸鸡 披萨",
        """
        香辣鸡腿堡:38 牛肉芝士堡:46 双层牛肉堡:66 鳕鱼堡:48 原味炸鸡桶:98 炸鸡翅四块:44 鸡米花:32 薯条:22 洋葱圈:26
        九寸榴莲披萨:100 九寸培根披萨:88 意式肉酱面:52 奶油蘑菇面:54 墨西哥鸡肉卷:36 鸡块九块:40 烤鸡腿饭:46
        """,
    ),
    "日韩料理": (
        "寿司 日式料理 韩式拌饭",
        """
        三文鱼刺身:96 鳗鱼饭:86 肥牛饭:54 日式咖喱饭:48 豚骨拉面:56 味噌拉面:52 寿司拼盘:80 加州卷:50 天妇罗拼盘:62
        石锅拌饭:46 泡菜炒饭:40 部队锅:92 韩式炸鸡:76 辣炒年糕:38 章鱼小丸子:30 大阪烧:44 紫菜包饭:34 冷面:36
        """,
    ),
    "东北菜": (
        "东北菜 铁锅炖 饺子家常菜",
        """
        锅包肉:62 地三鲜:36 猪肉炖粉条:58 小鸡炖蘑菇:82 溜肉段:56 酱骨架:88 尖椒干豆腐:32 拉皮:26 酸菜白肉:60
        木须肉:44 大拉皮:28 铁锅炖鱼:100 东北乱炖:64 土豆炖豆角:38 蒜薹炒肉:46 玉米面贴饼:16
        """,
    ),
    "粥点": (
        "粥铺 早点 包子铺",
        """
        小米粥:8 黑米粥:10 皮蛋瘦肉粥:22 南瓜粥:12 八宝粥:14 鲜肉包两只:12 香菇青菜包两只:10 豆沙包两只:10 油条:6
        豆浆:6 茶叶蛋:4 煎饼果子:24 鸡蛋灌饼:20 手抓饼:22 糯米鸡:26 烧麦四只:20 海鲜粥:46 滑鸡粥:32
        """,
    ),
}

_COMMON = (
    "米饭:0 蛋炒饭:16 荷包蛋:4 卤蛋:5 拍黄瓜:14 凉拌木耳:18 酸辣土豆丝:20 清炒时蔬:24 番茄蛋汤:16 紫菜蛋花汤:14 "
    "例汤:10 炸春卷:20 可乐:8 雪碧:8 酸梅汤:10 冰红茶:9 柠檬水:12 矿泉水:2 豆奶:7 酸奶:14 珍珠奶茶:26 鲜榨橙汁:30 "
    "红糖糍粑:24 绿豆沙:12"
)

NOTES = (
    "不要辣",
    "少放辣",
    "多放辣",
    "不要葱",
    "不要香菜",
    "少油少盐",
    "多加一双筷子",
    "不要餐具",
    "请放在门口",
    "放前台，谢谢",
    "到了打电话",
    "米饭多一点",
    "汤分开装",
)
"""Notes that users write on orders."""

CUISINES = tuple(_CUISINES)


def _parse(text: str) -> tuple[tuple[str, float], ...]:
    pairs = (entry.rsplit(":", 1) for entry in text.split())
    return tuple((name, int(level) / 100) for name, level in pairs)


DISHES = {cuisine: _parse(dishes) for cuisine, (_, dishes) in _CUISINES.items()}
"""(name, level) of the dishes that make a cuisine."""

EXTRAS = _parse(_COMMON)
"""(name, level) of what any shop sells beside."""


def shop_names(rng: np.random.Generator, cuisines: list[str]) -> list[str]:
    """A name for each shop, all different, such as 老街口川菜馆(文一路店); `cuisines` gives each shop's cuisine."""
    names: list[str] = []
    taken: set[str] = set()
    for cuisine in cuisines:
        kinds = _CUISINES[cuisine][0].split()
        name = f"{_BRANDS[rng.integers(len(_BRANDS))]}{kinds[rng.integers(len(kinds))]}"
        branch = f"{name}({_ROADS[rng.integers(len(_ROADS))]}店)"
        number = 2
        while branch in taken:
            branch = f"{name}({_ROADS[rng.integers(len(_ROADS))]}{number}店)"
            number += 1
        taken.add(branch)
        names.append(branch)
    return names


def menu(rng: np.random.Generator, cuisine: str, size: int) -> list[tuple[str, float]]:
    """`size` different dishes of a cuisine as (name, level): two thirds its own, the rest what any shop sells."""
    own, extras = DISHES[cuisine], EXTRAS
    main = min(len(own), max(1, round(size * 2 / 3)))
    beside = min(len(extras), size - main)
    chosen = [own[i] for i in rng.choice(len(own), size=main, replace=False)]
    known = {name for name, _ in chosen}
    chosen += [extras[i] for i in rng.permutation(len(extras)) if extras[i][0] not in known][:beside]
    # A very long menu sells its dishes in sizes too.
    for suffix, more in (("(大份)", 0.25), ("(小份)", -0.12), ("(双人份)", 0.45)):
        for name, level in own:
            if len(chosen) < size:
                chosen.append((name + suffix, min(1.0, max(0.0, level + more))))
    return chosen[:size]


def person(rng: np.random.Generator) -> str:
    """A person's name of two or three characters."""
    given = "".join(_GIVEN[rng.integers(len(_GIVEN))] for _ in range(int(rng.integers(1, 3))))
    return _SURNAMES[rng.integers(len(_SURNAMES))] + given
