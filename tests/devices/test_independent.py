"""Another reader of ESC/POS agrees on our tickets' text, sizes, boldness and QR codes.

The reader is escpos-to-html (TypeScript, github.com/yoophi/escpos-to-html; without a licence file: run, not copied).
It is asked only where it is at hand:

    git clone https://github.com/yoophi/escpos-to-html && cd escpos-to-html
    npx esbuild packages/escpos/src/index.ts --bundle --platform=node --format=cjs --outfile=reader.cjs
    O2O_ESCPOS_READER=$PWD/reader.cjs python -m pytest tests/devices/test_independent.py -q
"""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_58, GENERIC_80
from o2o_devices.receipt import Receipt, Span, Style
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder
from o2o_platform.printing.media.escpos import render

READER = os.environ.get("O2O_ESCPOS_READER", "")
NODE = shutil.which("node")
PROGRAM = """
const { parseEscposBytes } = require(process.argv[1]);
const bytes = [...require("fs").readFileSync(0)];
process.stdout.write(JSON.stringify(parseEscposBytes(bytes, { textEncoding: "gb18030" })));
"""

pytestmark = pytest.mark.skipif(
    not (READER and NODE), reason="no independent reader: O2O_ESCPOS_READER does not name a bundle of escpos-to-html"
)


def order(number: int, dishes: int) -> TicketOrder:
    names = (
        "宫保鸡丁(微辣)",
        "手撕包菜",
        "米饭(大份)",
        "𠮷野家牛肉饭",
        "冰镇酸梅汤 500ml",
        "一份名字很长很长的招牌套餐(少放辣)",
    )
    lines = tuple(Line(n, names[(number + n) % len(names)], 1 + n % 3, 900 + 137 * n) for n in range(1, dishes + 1))
    total = sum(line.qty * line.unit_fen for line in lines)
    return TicketOrder(
        order_no=f"261122{number:06d}",
        merchant_name="老王川菜馆（文一路店）",
        lines=lines,
        items_fen=total,
        discount_fen=500,
        delivery_fee_fen=300,
        total_fen=total - 200,
        note="少放辣, 不要香菜" if number % 2 else "",
        phone_masked="138****5678",
        address="西湖区文一路 1 号 3 幢 2 单元 501",
        placed_at_text="11-22 11:45",
    )


def ours(stream: bytes, wide: bool) -> Receipt:
    (cut,) = [e for e in Interpreter(GENERIC_80 if wide else GENERIC_58).feed(stream)[1] if isinstance(e, Cut)]
    return cut.receipt


def theirs(stream: bytes) -> dict[str, Any]:
    assert NODE is not None
    told = subprocess.run([NODE, "-e", PROGRAM, READER], input=stream, capture_output=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("columns", [48, 32])
def test_text_sizes_and_codes_agree(number: int, columns: Any) -> None:
    link = f"https://o2o.example/o/{number}"
    stream = render(order(number, 1 + number), columns, link)
    paper, told = ours(stream, columns == 48), theirs(stream)
    spoken = [line for line in told["lines"] if any(span["text"].strip() for span in line["spans"])]
    printed = [line for line in paper.lines if line.kind == "text" and line.text.strip()]
    assert ["".join(span["text"] for span in line["spans"]) for line in spoken] == [line.text for line in printed]
    for line, other in zip(printed, spoken, strict=True):
        spans = line.spans or (Span(line.text, Style(*line.size, line.bold)),)
        inked = [span.style for span in spans if span.text.strip()]
        styles = [span["style"] for span in other["spans"] if span["text"].strip()]
        assert {(style.width, style.height, style.bold) for style in inked} == {
            (style["width"], style["height"], style["bold"]) for style in styles
        }
        assert line.align == other["align"]
    codes = [line["barcode"]["data"] for line in told["lines"] if line.get("barcode")]
    assert tuple(codes) == paper.qr == (link,)
