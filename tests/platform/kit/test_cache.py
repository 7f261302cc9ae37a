"""The cache of facts: believed for a few seconds, forgotten when told, bounded."""

from __future__ import annotations

from o2o_platform.kit.cache import Cache


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_fact_is_believed_for_its_time_and_no_longer() -> None:
    watch = Watch()
    cache: Cache[int, str] = Cache(ttl_s=4.0, monotonic=watch)
    assert cache.get(1) is None
    cache.put(1, "a")
    watch.now = 3.9
    assert cache.get(1) == "a"
    watch.now = 4.0
    assert cache.get(1) is None
    cache.put(1, "b")
    assert cache.get(1) == "b"
    assert cache.misses == 2


def test_a_fact_that_has_changed_is_forgotten_at_once() -> None:
    cache: Cache[int, str] = Cache()
    cache.put(1, "a")
    cache.drop(1)
    cache.drop(2)
    assert cache.get(1) is None
    assert cache.dropped == 1


def test_there_are_never_more_than_its_size() -> None:
    cache: Cache[int, int] = Cache(size=10)
    for n in range(25):
        cache.put(n, n)
        assert len(cache) <= 10
        assert cache.get(n) == n
