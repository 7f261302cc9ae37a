"""A14: tickets in the markup of vendor clouds; what people typed is never a tag."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_domain.ticket_text import columns
from o2o_platform.printing.media import markup

ORDER = TicketOrder(
    "26112200017", "老王小馆", (Line(1, "宫保鸡丁(微辣)", 2, 1800),), 3600, 0, 300, 3900,
    note="不要香菜", address="文一路 1 号", phone_masked="138****5678", placed_at_text="11-22 12:00",
)  # fmt: skip
LINK = "http://127.0.0.1/orders/17"
RENDERERS = {"feie": markup.feie, "yilianyun": markup.yilianyun}
TAGS = {
    "feie": {"CB", "B", "C", "BOLD", "BR", "QR", "CUT"},
    "yilianyun": {"center", "FS2", "FB", "QR"},
}
TYPED = st.text(st.sampled_from("<>/CBQRUTcenter菜 8") | st.characters(), max_size=30)


def test_feie_is_written_with_its_own_tags() -> None:
    text = markup.feie(ORDER, 48, LINK).decode()
    assert text.startswith("<CB>O2O 外卖</CB><BR><CB>#26112200017</CB><BR>")
    assert text.endswith(f"<QR>{LINK}</QR><BR><CUT>")
    assert "\n" not in text


def test_yilianyun_is_written_with_its_own_tags_and_line_feeds() -> None:
    text = markup.yilianyun(ORDER, 32, LINK).decode()
    assert text.startswith("<center><FS2>O2O 外卖</FS2></center>\n")
    assert text.endswith(f"<QR>{LINK}</QR>\n")
    assert "<BR>" not in text


@pytest.mark.parametrize("vendor", RENDERERS)
@pytest.mark.parametrize("width", [32, 48])
def test_taking_the_tags_away_leaves_the_layout(vendor: str, width: Literal[32, 48]) -> None:
    text = RENDERERS[vendor](ORDER, width, "").decode().replace("<BR>", "\n")
    assert re.sub("<[^>]*>", "", text).splitlines() == [line.text for line in layout(ORDER, width)]


@pytest.mark.parametrize("vendor", RENDERERS)
@given(dish=TYPED, note=TYPED, shop=TYPED, address=TYPED)
def test_what_people_typed_is_never_a_tag(vendor: str, dish: str, note: str, shop: str, address: str) -> None:
    order = replace(ORDER, merchant_name=shop, note=note, address=address, lines=(Line(1, dish, 2, 1800),))
    plain = RENDERERS[vendor](ORDER, 48, LINK).decode()
    text = RENDERERS[vendor](order, 48, LINK).decode()
    found = re.findall(r"<(/?)(\w+)>", text)
    assert {name for _, name in found} <= TAGS[vendor]
    assert text.count("<") == text.count(">") == len(found)
    for single in ("QR", "CUT", "CB", "FS2"):
        assert text.count(f"<{single}>") == plain.count(f"<{single}>")


@given(dish=TYPED)
def test_columns_stay_in_line_where_brackets_were_typed(dish: str) -> None:
    order = replace(ORDER, lines=(Line(1, f"<{dish}>", 2, 1800),))
    for line in markup.feie(order, 48, "").decode().split("<BR>"):
        text = re.sub("<[^>]*>", "", line)
        assert columns(text) <= 48
        if text.rstrip().endswith("36.00") and "x2" in text:
            assert columns(text) == 48


@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS)
def test_a_link_makes_no_tag_either(render: Any) -> None:
    assert b"<QR>http://x/%3CCUT%3E</QR>" in render(ORDER, 48, "http://x/<CUT>")
