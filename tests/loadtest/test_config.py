"""The file that the processes of a live run share."""

from __future__ import annotations

import stat
from pathlib import Path

from o2o_loadtest.config import IdMap, LiveConfig, read_epoch, write_epoch


def config(prefix: str = "") -> LiveConfig:
    ids = IdMap(merchants={0: 5}, user_tokens={3: "secret"}, coupons={"A": "A"})
    return LiveConfig("http://127.0.0.1:1", 20.0, "/run", ids, 12.5, prefix)


def test_it_comes_back_as_it_was_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    config("7-").write(path)
    assert LiveConfig.read(path) == config("7-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_order_references_map_back_to_intents_of_this_run_only() -> None:
    mine = config("7-")
    assert mine.order_ref(12) == "7-intent-12"
    assert mine.intent_of("7-intent-12") == 12
    assert mine.intent_of("8-intent-12") is None
    assert mine.intent_of("7-intent-x") is None
    assert mine.intent_of(None) is None


def test_the_epoch_is_unknown_until_it_is_told(tmp_path: Path) -> None:
    assert read_epoch(tmp_path) is None
    write_epoch(tmp_path, 1234.5678901)
    assert read_epoch(tmp_path) == 1234.5678901
