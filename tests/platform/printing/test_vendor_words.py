"""A14: what is said to the vendors' clouds, and what may come back: their words, without a network."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.printers import KINDS
from o2o_platform.printing.drivers import PrintFailed
from o2o_platform.printing.drivers.feie import Feie
from o2o_platform.printing.drivers.registry import DRIVERS
from o2o_platform.printing.drivers.vendor import Fate, UnclearError, VendorJob
from o2o_platform.printing.drivers.yilianyun import Yilianyun
from o2o_platform.printing.vendor_jobs import token_of
from o2o_platform.settings import Settings

SETTINGS = Settings(
    feie_url="http://feie/Api/Open/", feie_user="user", feie_ukey="ukey", yilianyun_url="http://yilianyun/",
    yilianyun_client_id="1", yilianyun_client_secret="secret", yilianyun_access_token="access",
    public_url="http://platform/",
)  # fmt: skip
FEIE, YILIANYUN = Feie(SETTINGS), Yilianyun(SETTINGS)
VENDORS = pytest.mark.parametrize("vendor", [FEIE, YILIANYUN], ids=["feie", "yilianyun"])
JOB = VendorJob(7, "960000001", token_of(7, 1_700_000_000.1234), "<CB>O2O</CB><BR>", 1_700_000_180.9)
NOW = 1_700_000_001.5


def raw(**answer: Any) -> bytes:
    return json.dumps(answer).encode()


@VENDORS
def test_a_driver_says_of_itself_what_the_domain_says(vendor: Any) -> None:
    assert vendor.configured
    assert DRIVERS[vendor.name].scheme == vendor.name
    assert KINDS[vendor.name].idempotent is vendor.idempotent
    assert not type(vendor)(Settings()).configured


def test_feies_words() -> None:
    form = FEIE.printing(JOB, NOW)
    assert form.url == "http://feie/Api/Open/"
    assert form.fields["sig"] == hashlib.sha1(b"userukey1700000001").hexdigest()
    assert form.fields["expired"] == "1700000180"  # whole seconds, never later than the deadline
    assert form.fields["backurl"] == f"http://platform/printing/feie/o2o-7.1700000000123/{FEIE.mark(JOB.token)}"
    far = VendorJob(7, "1", "t", "x", NOW + 1e6)
    assert int(FEIE.printing(far, NOW).fields["expired"]) == int(NOW) + 86_400
    assert FEIE.mark("o2o-7.1") != FEIE.mark("o2o-8.1")
    assert FEIE.taken(raw(ret=0, msg="ok", data="960000001_1_2", serverExecutedTime=3)) == "960000001_1_2"
    assert FEIE.fate(raw(ret=0, data=True)) is Fate.PRINTED
    assert FEIE.fate(raw(ret=0, data=False)) is Fate.WAITING
    assert FEIE.fate(raw(ret=1, data=True)) is Fate.UNKNOWN
    assert FEIE.status(raw(ret=0, data="离线")) == "离线"


def test_yilianyuns_words() -> None:
    form = YILIANYUN.printing(JOB, NOW)
    assert form.url == "http://yilianyun/print/index"
    assert form.fields["sign"] == hashlib.md5(b"11700000001secret").hexdigest()
    assert (form.fields["origin_id"], form.fields["idempotence"]) == (JOB.token, "1")
    assert form.fields["id"] != YILIANYUN.printing(JOB, NOW).fields["id"]
    assert YILIANYUN.taken(raw(error="0", body={"id": 5})) == "5"
    assert YILIANYUN.taken(raw(error=0, error_description="success", body={"id": "5", "origin_id": "a"})) == "5"
    fates = [YILIANYUN.fate(raw(error="0", body={"status": status})) for status in (0, "1", 2, 9)]
    assert fates == [Fate.WAITING, Fate.PRINTED, Fate.CANCELLED, Fate.UNKNOWN]
    assert YILIANYUN.status(raw(error="0", body={"state": "2"})) == "paper_end"


@pytest.mark.parametrize("body", [None, [], "", {}, {"id": ""}, {"id": {}}, {"id": "x" * 65}, {"id": True}])
def test_a_refusal_is_one_whatever_stands_beside_it(body: Any) -> None:
    with pytest.raises(PrintFailed, match="yilianyun_18"):
        YILIANYUN.taken(raw(error="18", body=body))
    with pytest.raises(PrintFailed, match="feie_1002"):
        FEIE.taken(raw(ret=1002, data=body))
    for call in (lambda: YILIANYUN.taken(raw(error="0", body=body)), lambda: FEIE.taken(raw(ret=0, data=body))):
        with pytest.raises(UnclearError):  # taken, and nobody knows under which id
            call()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_KEYS = st.sampled_from(["ret", "msg", "data", "error", "body"])


@VENDORS
@given(answer=st.binary(max_size=40) | st.dictionaries(_KEYS, _JSON).map(lambda one: json.dumps(one).encode()))
def test_any_answer_has_a_meaning(vendor: Any, answer: bytes) -> None:
    for read in (vendor.taken, vendor.fate, vendor.status):
        with contextlib.suppress(PrintFailed, UnclearError):
            assert isinstance(read(answer), str | Fate)


def test_tokens_fit_where_they_go() -> None:
    assert len(token_of(2**63 - 1, 4e9).encode()) <= 64
