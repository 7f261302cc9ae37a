"""The virtual CloudPRNT printer against servers that others wrote, and StarPRNT that others' software emits (A14).

Asked only where they are at hand; each is run as it is, nothing of it is copied here.

1. Star's own sample server (github.com/star-micronics/cloudprnt-sdk, ExampleServers/php_queue), PHP with SQLite3. Its
   `cputil` is a stand-in written here, which knows one kind of ticket:

       O2O_CLOUDPRNT_PHP=.../ExampleServers/php_queue python -m pytest tests/devices/cloud/test_independent_servers.py
       (O2O_PHP="php -d extension=/where/it/is/sqlite3.so" names another PHP)

2. @autotelic/fastify-cloudprnt 0.5.0 (MIT) and 3. @point-of-sale/receipt-printer-encoder 4 (MIT), both from npm:

       npm install @autotelic/fastify-cloudprnt@0.5.0 fastify@4 @fastify/view@8 nunjucks \\
           @point-of-sale/receipt-printer-encoder@4
       O2O_NODE_PEERS=$PWD/node_modules python -m pytest tests/devices/cloud/test_independent_servers.py
"""

import asyncio
import base64
import json
import os
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from o2o_devices.cloud.cloudprnt import CloudPrntPrinter
from o2o_devices.cloud.machine import Machine
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.faults import TicketFault
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.media.starprnt import to_escpos
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

PHP_QUEUE = os.environ.get("O2O_CLOUDPRNT_PHP", "")
PHP = shlex.split(os.environ.get("O2O_PHP", "php"))
PEERS = os.environ.get("O2O_NODE_PEERS", "")
NODE = shutil.which("node")
MAC = "001162aabbcc"
FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0, line_dots=40)
NEVER_S = 3600.0

with_php = pytest.mark.skipif(not PHP_QUEUE, reason="O2O_CLOUDPRNT_PHP does not name Star's sample server")
with_node = pytest.mark.skipif(not (PEERS and NODE), reason="O2O_NODE_PEERS does not name packages from npm")


class Kitchen:
    """A printer and its paper."""

    def __init__(self, url: str, *faults: TicketFault) -> None:
        self.paper: list[Receipt] = []
        engine = VirtualPrinter(
            FAST, on_paper=lambda receipt, at: self.paper.append(receipt), plan=dict(enumerate(faults)).get
        )
        self.machine = Machine(engine)
        self.printer = CloudPrntPrinter(self.machine, MAC, url, interval_s=0.05, first_s=0.0)

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [receipt.text_lines for receipt in self.paper]


def run(url: str, test: Callable[[Kitchen], Awaitable[None]], *faults: TicketFault) -> None:
    async def main() -> None:
        kitchen = Kitchen(url, *faults)
        await kitchen.printer.start()
        try:
            await asyncio.wait_for(test(kitchen), 30.0)
        finally:
            await kitchen.printer.stop()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come to that")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(command: list[str], where: Path, port: int) -> Iterator[None]:
    """A server that listens on the port as long as the block runs."""
    with (where / "server.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=where, stdout=log, stderr=log)
    try:
        for _ in range(200):
            assert running.poll() is None, (where / "server.log").read_text()
            with socket.socket() as probe:
                probe.settimeout(0.05)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("the server does not listen")
        yield
    finally:
        running.terminate()
        running.wait(10)


# --- Star's sample server --------------------------------------------------------------------------------------------

CPUTIL = f"""#!{sys.executable}
import json, pathlib, re, sys
if sys.argv[1] == "mediatypes-mime":
    print(json.dumps(["application/vnd.star.starprnt", "text/plain"]))
else:
    kind, source, target = sys.argv[-3:]
    number = re.search(r"\\[mag: w 4; h 4\\](\\d+)", pathlib.Path(source).read_text())[1]
    good = b"\\x1bi\\x03\\x03" + number.encode() + b"\\x1bi\\x00\\x00\\n\\x1bd\\x03"
    pathlib.Path(target).write_bytes(b"\\x1bi" if number == "13" else good)
"""


class PhpQueue:
    """Its database, as its pages for people use it."""

    def __init__(self, where: Path, url: str) -> None:
        self.url = url
        self._file = where / "simplequeue.sqlite"

    def ask(self, sql: str, *values: Any) -> Any:
        with sqlite3.connect(self._file, timeout=10.0) as database:
            row = database.execute(sql, values).fetchone()
        database.close()
        return row

    def print(self, number: int) -> None:
        self.ask("UPDATE Devices SET Printing = ? WHERE DeviceMac = '00:11:62:aa:bb:cc'", number)

    @property
    def printing(self) -> int:
        found: int = self.ask("SELECT Printing FROM Devices WHERE DeviceMac = '00:11:62:aa:bb:cc'")[0]
        return found


@pytest.fixture
def php_queue(tmp_path: Path) -> Iterator[PhpQueue]:
    where = tmp_path / "php_queue"
    shutil.copytree(PHP_QUEUE, where)
    (where / "cputil").mkdir()
    tool = where / "cputil" / "cputil"
    tool.write_text(CPUTIL)
    tool.chmod(0o755)
    port = free_port()
    queue = PhpQueue(where, f"http://127.0.0.1:{port}/cloudprnt.php")
    queue.ask("INSERT INTO Devices (DeviceMac, QueueID, Printing) VALUES ('00:11:62:aa:bb:cc', 1, 0)")
    with process([*PHP, "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", "-t", "."], where, port):
        yield queue


@with_php
def test_stars_sample_server_learns_the_printer_and_prints(php_queue: PhpQueue) -> None:
    async def test(kitchen: Kitchen) -> None:
        await until(lambda: php_queue.ask("SELECT ClientType FROM Devices WHERE QueueID = 1")[0] is not None)
        assert php_queue.ask("SELECT DotWidth, ClientType, ClientVersion, Status FROM Devices WHERE QueueID = 1") == (
            576,
            "Star mC-Print3",
            "5.1",
            "200 OK",
        )
        for number in (41, 42):
            php_queue.print(number)
            await until(lambda: php_queue.printing == 0)
        assert kitchen.texts == [("41",), ("42",)]
        assert kitchen.paper[0].lines[0].size == (4, 4)
        php_queue.print(13)
        await until(lambda: php_queue.printing == 0)
        assert len(kitchen.paper) == 2, "data that do not decode are cleared, not printed"

    run(php_queue.url, test)


@with_php
def test_stars_sample_server_keeps_a_job_through_a_paper_end(php_queue: PhpQueue) -> None:
    async def test(kitchen: Kitchen) -> None:
        await until(lambda: php_queue.ask("SELECT ClientType FROM Devices WHERE QueueID = 1")[0] is not None)
        php_queue.print(7)
        await until(lambda: php_queue.ask("SELECT Status FROM Devices WHERE QueueID = 1")[0] == "410 Out of paper")
        assert php_queue.printing == 7
        kitchen.printer.act(lambda printer, now: printer.set_paper(now))
        await until(lambda: php_queue.printing == 0)
        assert kitchen.texts[-1] == ("7",)

    run(php_queue.url, test, TicketFault("paper_end", 2.0, NEVER_S))


# --- fastify-cloudprnt -----------------------------------------------------------------------------------------------

FASTIFY = """
const [peers, port, queue] = [process.argv[1], Number(process.argv[2]), JSON.parse(process.argv[3])];
const from = require("node:module").createRequire(peers + "/x.js");
const fs = require("node:fs");
const app = from("fastify")();
app.register(from("@fastify/view"), { engine: { nunjucks: from("nunjucks") }, root: "." });
app.register(from("@autotelic/fastify-cloudprnt"), {
  routePrefix: "/print",
  getJob: async () => queue.length ? queue[0].token : null,
  getJobData: async (token) => queue.find((job) => job.token === token) || null,
  deleteJob: async (token, request) => {
    fs.appendFileSync("deleted", token + " " + request.query.code + "\\n");
    const at = queue.findIndex((job) => job.token === token);
    if (at >= 0) queue.splice(at, 1);
    return at >= 0;
  },
  templatesDir: "",
  defaultTemplate: "job.stm",
  formatPrntCommandData: async (rendered) => Buffer.from(rendered.trim(), "base64"),
});
app.listen({ port, host: "127.0.0.1" });
"""


@with_node
def test_fastify_cloudprnt(tmp_path: Path) -> None:
    assert NODE is not None
    port = free_port()
    (tmp_path / "job.stm").write_text("{{ data }}")
    bodies = {f"job-{n}": b"\x1b\x1d)U\x02\x000\x01" + f"第 {n} 单\n".encode() + b"\x1bd\x03" for n in (1, 2, 3)}
    bodies["job-2"] = b"\x1bi"
    queue = [{"token": token, "data": base64.b64encode(body).decode()} for token, body in bodies.items()]
    deleted = tmp_path / "deleted"

    async def test(kitchen: Kitchen) -> None:
        await until(lambda: deleted.exists() and len(deleted.read_text().splitlines()) == 3)
        assert deleted.read_text().splitlines() == ["job-1 200 OK", "job-2 511 Media decoding error", "job-3 200 OK"]
        assert kitchen.texts == [("第 1 单",), ("第 3 单",)]

    command = [NODE, "-e", FASTIFY, str(Path(PEERS).resolve()), str(port), json.dumps(queue)]
    with process(command, tmp_path, port):
        run(f"http://127.0.0.1:{port}/print/", test)


# --- receipt-printer-encoder -----------------------------------------------------------------------------------------

ENCODE = """
const Encoder = require(process.argv[1] + "/@point-of-sale/receipt-printer-encoder/dist/receipt-printer-encoder.cjs");
const out = new Encoder({ language: "star-prnt", columns: 48 }).initialize()
  .codepage("cp437").align("center").size(2, 2).line("O2O #42").size(1, 1)
  .bold(true).line("bold").bold(false).underline(true).line("under").underline(false)
  .align("left").invert(true).line("X").invert(false).width(3).line("wide").width(1)
  .qrcode("https://o2o.example/o/42", { model: 2, size: 4, errorlevel: "m" })
  .barcode("4006381333931", "ean13", { height: 60, width: 2, text: true })
  .codepage("windows1252").line("\\u20ac 12").rule().cut("partial").encode();
process.stdout.write(Buffer.from(out));
"""


@with_node
def test_receipt_printer_encoder() -> None:
    assert NODE is not None
    star = subprocess.run([NODE, "-e", ENCODE, str(Path(PEERS).resolve())], capture_output=True, timeout=60, check=True)
    (cut,) = [event for event in Interpreter(GENERIC_80).feed(to_escpos(star.stdout))[1] if isinstance(event, Cut)]
    paper = cut.receipt
    lines = {line.text.strip(): line for line in paper.lines if line.kind == "text" and line.text.strip()}
    assert paper.unknown == 0
    assert list(lines) == ["O2O #42", "bold", "under", "X", "wide", "€ 12", "─" * 48]
    assert lines["O2O #42"].size == (2, 2)
    assert lines["bold"].bold
    assert any(span.style.underline for span in lines["under"].spans)
    assert lines["X"].spans[0].style.invert
    assert lines["wide"].size == (3, 1)
    assert paper.qr == ("https://o2o.example/o/42",)
    assert paper.barcodes == (("EAN13", "4006381333931"),)
    assert paper.cut == "partial"
