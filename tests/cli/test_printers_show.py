"""`o2o printers show`: receipts of a file, as text and as PNG."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from o2o_cli.commands.printers import app
from o2o_cli.errors import UsageError
from o2o_cli.jobs.receipts import receipts_of
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_58, GENERIC_80
from o2o_devices.paper import PaperJournal

STREAM = (
    b"\x1ba\x01\x1d!\x11" + "外卖 7\n".encode("gb18030") + b"\x1d!\x00"
    + b"\x1dv0\x00\x02\x00\x02\x00\xff\x00\x00\xff"
    + "宫保鸡丁 x2\n".encode("gb18030") + b"\x1dVA\x00" + b"second\n\x1dVB\x00"
)  # fmt: skip


def run(*args: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, list(args))
    return outcome.exit_code, outcome.output


def test_text_and_pictures(tmp_path: Path) -> None:
    stream, picture = tmp_path / "ticket.bin", tmp_path / "ticket.png"
    stream.write_bytes(STREAM)
    code, told = run("show", str(stream), "--png", str(picture))
    assert code == 0, told
    assert "宫保鸡丁 x2" in told
    assert "[raster 16 x 2 dots]" in told
    for path in (picture, tmp_path / "ticket-2.png"):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">I", data[16:20])[0] == GENERIC_80.dots + 48


def test_a_western_printer_reads_chinese_as_its_code_table(tmp_path: Path) -> None:
    stream = tmp_path / "ticket.bin"
    stream.write_bytes("汉\n".encode("gb18030"))
    assert receipts_of(stream, GENERIC_58, kanji=False)[0].text == "汉".encode("gb18030").decode("cp437")


def test_the_last_receipt_of_a_printer_from_its_journal(tmp_path: Path) -> None:
    journal = PaperJournal(tmp_path / "paper.jsonl")
    for number, text in ((3, b"one"), (4, b"other"), (3, b"two")):
        (cut,) = [event for event in Interpreter().feed(text + b"\n\x1dV\x00")[1] if isinstance(event, Cut)]
        journal.note(number, cut.receipt, 0.0)
    journal.close()
    code, told = run("show", str(tmp_path / "paper.jsonl"), "--printer", "3", "--png", str(tmp_path / "p.png"))
    assert code == 0, told
    assert "two" in told
    assert "one" not in told
    assert (tmp_path / "p.png").stat().st_size > 500


@pytest.mark.parametrize(
    ("content", "printer", "message"),
    [(None, None, "No such file"), (b"", None, "nothing in it is printed"), (b"a\n", 3, "not a paper journal")],
)
def test_what_cannot_be_shown_is_one_line(
    tmp_path: Path, content: bytes | None, printer: int | None, message: str
) -> None:
    path = tmp_path / "stream.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        receipts_of(path, GENERIC_80, printer=printer)
