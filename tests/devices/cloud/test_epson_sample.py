"""Epson's own sample server and our Epson printer agree: jobs, results, status (A14).

The sample program comes with the Server Direct Print User's Manual (PHP, version 5.0.0E, copyright Seiko Epson: run,
not copied). It is asked only where it is at hand, as a folder with Test_print.php and Test_status.php, and PHP with
SimpleXML:

    O2O_EPSON_SAMPLE=/path/to/sample python -m pytest tests/devices/cloud/test_epson_sample.py -q
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from o2o_devices.cloud.epson import EpsonPrinter
from o2o_devices.cloud.machine import Machine
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

SAMPLE, PHP = os.environ.get("O2O_EPSON_SAMPLE", ""), shutil.which("php")
FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0)

pytestmark = pytest.mark.skipif(
    not (SAMPLE and PHP), reason="no sample server: O2O_EPSON_SAMPLE does not name Epson's sample program, or no PHP"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The sample's folder, copied, and where it is served."""
    root = tmp_path / "site"
    shutil.copytree(SAMPLE, root)
    (root / "demo/request").mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Popen([PHP or "php", "-S", f"127.0.0.1:{port}", "-t", str(root)], stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield root, f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


async def said(log: Path, *words: str) -> str:
    """What the sample has written down, once these words are in it."""
    async with asyncio.timeout(20.0):
        while True:
            text = await asyncio.to_thread(lambda: log.read_text() if log.exists() else "")
            if all(word in text for word in words):
                return text
            await asyncio.sleep(0.02)


def printer(paper: list[Receipt], url: str, **how: float) -> EpsonPrinter:
    engine = VirtualPrinter(FAST, on_paper=lambda receipt, at: paper.append(receipt))
    return EpsonPrinter(Machine(engine), "shop-17", url, interval_s=0.1, **how)


@pytest.mark.parametrize("version", ["1.00", "2.00"])
def test_the_sample_jobs_are_printed_and_their_results_are_read(site: tuple[Path, str], version: str) -> None:
    root, url = site

    async def main() -> None:
        paper: list[Receipt] = []
        shutil.copy(
            root / ("demo/sample.xml" if version == "1.00" else "demo/sampleV2.xml"), root / "demo/request/sample.xml"
        )
        one = printer(paper, f"{url}/Test_print.php")
        await one.start()
        text = await said(root / "ResultPrint.log", f"PrintResponseInfo Version {version}", "DeviceNotFound")
        assert text.count("success : true") == 1, "the printer itself"
        assert text.count("success : false") == 1, "kitchen_printer, which is not there"
        if version == "2.00":
            assert "devid : local_printer\nprintjobid : ABC123\nsuccess : true" in text
            assert "devid : kitchen_printer\nprintjobid : ABC124\nsuccess : false\ncode : DeviceNotFound" in text
        assert len(paper) == 1
        assert next(line.strip() for line in paper[0].text_lines if line.strip()) == "DELIVERY TICKET"
        assert paper[0].barcodes == (("CODE39", "0001"),)
        assert paper[0].unknown == 0
        await one.stop()

    asyncio.run(main())


def test_a_status_notification_is_read(site: tuple[Path, str]) -> None:
    root, url = site

    async def main() -> None:
        one = printer([], f"{url}/Test_status.php", status_interval_s=0.1)
        await one.start()
        one.act(VirtualPrinter.open_cover)
        text = await said(root / "ResultStatus.log", "Cover is open")
        assert "Printer name = local_printer : Status ASB value is 251658300" in text  # 0x0F00003C
        assert "Offline status" in text
        await one.stop()

    asyncio.run(main())
