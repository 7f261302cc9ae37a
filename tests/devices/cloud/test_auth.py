"""Digest and Basic from the client's side, by the examples of RFC 7616 section 3.9.1 and RFC 7617 section 2."""

import re

import pytest

from o2o_devices.cloud.auth import Basic, Digest

CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
COMMON = (
    'realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
MD5 = "Digest " + COMMON.format("MD5")
SHA256 = "Digest " + COMMON.format("SHA-256")


def mufasa() -> Digest:
    return Digest("Mufasa", "Circle of Life", cnonce=lambda: CNONCE)


@pytest.mark.parametrize(
    ("challenge", "response"),
    [
        (MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (f"{SHA256}, {MD5}", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (f"{MD5}, {SHA256}", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (f'Basic realm="x", {MD5}', "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_the_examples_of_the_standard(challenge: str, response: str) -> None:
    auth = mufasa()
    assert auth.header("GET", "/dir/index.html") is None
    assert auth.challenged([challenge])
    header = auth.header("GET", "/dir/index.html")
    assert header is not None
    assert f'response="{response}"' in header
    assert 'uri="/dir/index.html"' in header
    assert "nc=00000001" in header
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in header


def test_a_nonce_is_counted_and_replaced_when_it_is_stale() -> None:
    auth = mufasa()
    assert auth.challenged([MD5])
    assert "nc=00000001" in str(auth.header("POST", "/"))
    assert "nc=00000002" in str(auth.header("POST", "/"))
    assert not auth.challenged([MD5]), "refused with the nonce that was used: name or password are wrong"
    assert auth.challenged([MD5.replace("7ypf", "other") + ", stale=true"])
    header = str(auth.header("POST", "/"))
    assert "nc=00000001" in header
    assert re.search(r'nonce="other/', header)


@pytest.mark.parametrize("challenge", ["", "Basic realm=x", 'Digest realm="x", nonce="n", qop="auth-int"', "Digest"])
def test_what_it_cannot_do_it_does_not_try(challenge: str) -> None:
    auth = mufasa()
    assert not auth.challenged([challenge])
    assert auth.header("GET", "/") is None


def test_basic() -> None:
    assert Basic("Aladdin", "open sesame").header("GET", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert not Basic("Aladdin", "open sesame").challenged(["Basic realm=x"])
