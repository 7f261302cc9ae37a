"""Digest authentication (RFC 7616) without memory: an independent client's answers, stale nonces, forgeries (A14)."""

from __future__ import annotations

import httpx
import pytest

from o2o_platform.printing.protocols import digest
from o2o_platform.printing.protocols.digest import LIFE_S, Digest, Verdict, fields_of

KEY = b"k" * 32
NOW = 1_800_000_000.0
URL = "http://platform/printers/epson?shop=1"
TARGET = "/printers/epson?shop=1"


def answered(challenge: str, *, name: str = "shop-17", secret: str = 's3cret, "quoted"', url: str = URL) -> str:
    """The Authorization header with which httpx, which knows nothing of us, answers a challenge."""
    flow = httpx.DigestAuth(name, secret).auth_flow(httpx.Request("POST", url))
    request = next(flow)
    again = flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=request))
    return again.headers["authorization"]


def check(header: str, *, now: float = NOW, key: bytes = KEY, secret: str = 's3cret, "quoted"') -> Verdict:
    return Digest("printers", key).check(header, "POST", TARGET, "shop-17", secret, now)


@pytest.fixture(params=[0, 1], ids=["MD5", "SHA-256"])
def challenge(request: pytest.FixtureRequest) -> str:
    return Digest("printers", KEY).challenges(NOW)[request.param]


def test_the_example_of_the_rfc() -> None:
    """RFC 7616, 3.9.1: the same numbers for the same nonce."""
    for name, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        hashed = digest._HASHES[name]
        first = hashed(b"Mufasa:http-auth@example.org:Circle of Life")
        second = hashed(b"GET:/dir/index.html")
        nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        assert hashed(f"{first}:{nonce}:00000001:{cnonce}:auth:{second}".encode()) == response


def test_a_client_that_knows_the_secret_is_right(challenge: str) -> None:
    assert check(answered(challenge)) == Verdict.RIGHT


def test_another_worker_with_the_same_key_takes_it_and_one_with_another_key_does_not(challenge: str) -> None:
    assert check(answered(challenge), now=NOW + LIFE_S) == Verdict.RIGHT
    assert check(answered(challenge), key=b"x" * 32) == Verdict.WRONG


def test_an_old_nonce_is_stale_and_a_wrong_secret_with_it_is_wrong(challenge: str) -> None:
    assert check(answered(challenge), now=NOW + LIFE_S + 0.1) == Verdict.STALE
    assert check(answered(challenge), now=NOW - 60.0) == Verdict.STALE
    assert check(answered(challenge, secret="guess"), now=NOW + 2 * LIFE_S) == Verdict.WRONG


def test_whatever_differs_is_wrong(challenge: str) -> None:
    header = answered(challenge)
    assert check(answered(challenge, secret="guess")) == Verdict.WRONG
    assert check(answered(challenge, name="shop-18")) == Verdict.WRONG
    assert check(answered(challenge, url="http://platform/printers/other")) == Verdict.WRONG
    assert check(header.replace("qop=auth", "qop=auth-int")) == Verdict.WRONG
    assert check(header.replace("nc=00000001", "nc=1")) == Verdict.WRONG
    assert check(header.replace("nc=00000001", "nc=00000002")) == Verdict.WRONG
    assert check(header.replace('realm="printers"', 'realm="others"')) == Verdict.WRONG


@pytest.mark.parametrize("nonce", ["x", "AAAA", "A" * 32, "é", "=" * 32, ""])
def test_a_nonce_that_is_not_ours(challenge: str, nonce: str) -> None:
    mine = fields_of(challenge)
    assert mine is not None
    assert check(answered(challenge).replace(mine["nonce"], nonce)) == Verdict.WRONG
    if nonce.isascii() and nonce:
        assert check(answered(challenge.replace(mine["nonce"], nonce))) == Verdict.WRONG


def test_a_uri_that_is_written_out_in_full(challenge: str) -> None:
    header = answered(challenge)
    assert check(header.replace(f'uri="{TARGET}"', f'uri="http://else{TARGET}"')) == Verdict.WRONG  # hashed otherwise
    assert digest._path("https://host:80/a/b?c") == "/a/b?c"


@pytest.mark.parametrize(
    "header",
    ["", "Basic abc", "Digest", "Digest a", "Digest a=1, a=2", 'Digest a="1', "Digest " + "a=1," * 1000, "Bearer x"],
)
def test_headers_that_are_no_digest(header: str) -> None:
    assert not fields_of(header)
    assert check(header) == Verdict.WRONG


def test_stale_is_said_in_the_next_challenge() -> None:
    assert all("stale=true" in value for value in Digest("printers", KEY).challenges(NOW, stale=True))
    assert not any("stale" in value for value in Digest("printers", KEY).challenges(NOW))


def test_md5_is_offered_first() -> None:
    assert ["algorithm=MD5" in value for value in Digest("printers", KEY).challenges(NOW)] == [True, False]
