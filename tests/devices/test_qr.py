"""QR codes as pictures, module by module against python-qrcode (which python-escpos brings)."""

import random

import pytest
import qrcode
from qrcode.util import MODE_8BIT_BYTE, QRData

from o2o_devices.escpos.qr import modules, picture
from o2o_devices.escpos.symbols import qr_modules

LEVELS = {
    48: qrcode.ERROR_CORRECT_L,
    49: qrcode.ERROR_CORRECT_M,
    50: qrcode.ERROR_CORRECT_Q,
    51: qrcode.ERROR_CORRECT_H,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [0, 1, 7, 17, 25, 40, 60, 90, 119])
def test_modules_agree(level: int, size: int) -> None:
    data = random.Random(size).randbytes(size)
    other = qrcode.QRCode(error_correction=LEVELS[level], border=0, mask_pattern=0)
    other.add_data(QRData(data, mode=MODE_8BIT_BYTE), optimize=0)
    other.make(fit=True)
    assert modules(data, level) == other.get_matrix()


def test_what_is_too_long_is_not_drawn() -> None:
    assert modules(bytes(271), 48) is not None
    assert modules(bytes(272), 48) is None
    assert picture(bytes(2000), 51, 3) is None


def test_a_picture_has_the_size_that_the_paper_takes() -> None:
    drawn = picture(b"https://o2o.example/o/1", 49, 4)
    assert drawn is not None
    assert drawn.width == drawn.height == 4 * qr_modules(23, 49)
    assert all(drawn.black(x, 0) for x in range(28))
    assert not drawn.black(28, 0)
