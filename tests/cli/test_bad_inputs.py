"""Whatever is typed or handed in wrongly gets one clear line that says where and what is allowed, and exit code 2.

Every case goes through the real entry point. Nothing is left behind by a command that fails before its run starts, and
a run that fails later is never taken for a finished one.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.errors import TOLD, guarded, is_told
from o2o_scenarios.errors import ScenarioError

Args = tuple[str, ...]

COUPON = "- {code: A, threshold_fen: 1, off_fen: 2, budget_fen: 3}\n"
ORDERS = "pick_up_lat,pick_up_lng,drop_off_lat,drop_off_lng,placement_time,ready_time\n"
ORDER = "4.60,-74.10,4.61,-74.11,12:00:00,12:10:00\n"
COURIERS = "vehicle,on_lat,on_lng,on_time,off_time\nmotorcycle,4.6,-74.1,08:00:00,20:00:00\n"
GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed">\n'


def grid(towns: int = 1, side: int = 5) -> tuple[str, str]:
    """nodes.csv and edges.csv of square towns with two-way streets, and no road from one town to the next."""
    nodes, edges = ["node_index,pos_x,pos_y"], ["from_node,to_node,distance"]
    for town in range(towns):
        for here in range(side * side):
            row, column = divmod(here, side)
            nodes.append(f"{town}-{here},{column * 100 + town * 5000},{row * 100}")
            for there in ([here + 1] if column + 1 < side else []) + ([here + side] if row + 1 < side else []):
                edges += [f"{town}-{here},{town}-{there},100", f"{town}-{there},{town}-{here},100"]
    return "\n".join(nodes) + "\n", "\n".join(edges) + "\n"


def model(*args: str) -> Args:
    return ("simulate", "--no-report", *args)


def changed(text: str) -> Args:
    return model("tiny.yaml", "--set", text)


def graph(path: str) -> Args:
    return changed(f"city.graph={path}")


def day(path: str) -> Args:
    return changed(f"demand.orders={path}")


def load(*args: str) -> Args:
    return ("load", "tiny.yaml", *args)


def vary(text: str, *args: str) -> Args:
    return ("compare", "tiny.yaml", "-n", "2", "--workers", "1", "--vary", text, *args)


def serve(*args: str) -> Args:
    return ("serve", "--port", "0", "--provider-port", "0", *args)


NODES, EDGES = grid()
FILES: dict[str, str | bytes] = {
    "empty.yaml": "",
    "list.yaml": "- name\n",
    "broken.yaml": "name: mine\ncity: [\n",
    "latin.yaml": "name: caf\xe9\n".encode("latin-1"),
    "twice.yaml": "name: mine\nseed: 1\nseed: 2\n",
    "typo.yaml": "name: mine\ndemand:\n  orders_per_huor: 60\n",
    "truth.yaml": "name: mine\nclock: {duration_s: yes}\n",
    "coupons.yaml": f"name: mine\ncoupons:\n{COUPON}{COUPON}",
    "circle.yaml": "extends: round.yaml\nname: mine\n",
    "round.yaml": "extends: circle.yaml\n",
    "orphan.yaml": "name: mine\nextends: lunch_pek\n",
    "itself.yaml": "name: &a [*a]\n",
    "curve.yaml": "name: mine\ndemand: {curve: [{at_min: 700, weight: 1}, {at_min: 660, weight: 1}]}\n",
    "roads.shp": "x",
    "cut.graphml": GRAPHML + '<node id="1">',
    "placeless.graphml": GRAPHML + '<node id="1"/></graph></graphml>',
    "not.osm.pbf": "no blocks here",
    "town/nodes.csv": NODES,
    "town/edges.csv": EDGES,
    "islands/nodes.csv": grid(3)[0],
    "islands/edges.csv": grid(3)[1],
    "one_way/nodes.csv": NODES,
    "one_way/edges.csv": "from_node,to_node,distance\n" + "".join(f"0-{n},0-{n + 1},100\n" for n in range(24)),
    "nameless/nodes.csv": NODES.replace("node_index", "id"),
    "nameless/edges.csv": EDGES,
    "flat/nodes.csv": NODES.replace("pos_x", "east"),
    "flat/edges.csv": EDGES,
    "doubled/nodes.csv": NODES + "0-3,1,1\n",
    "doubled/edges.csv": EDGES,
    "astray/nodes.csv": NODES,
    "astray/edges.csv": EDGES + "0-1,9-9,100\n",
    "edgeless/nodes.csv": NODES,
    "good_day/orders.csv": ORDERS + ORDER,
    "good_day/couriers.csv": COURIERS,
    "no_column/orders.csv": ORDERS.replace("ready_time", "ready") + ORDER,
    "no_column/couriers.csv": COURIERS,
    "bad_time/orders.csv": ORDERS + ORDER + ORDER.replace("12:00:00", "25:00:00"),
    "bad_time/couriers.csv": COURIERS,
    "no_couriers/orders.csv": ORDERS + ORDER,
    "bad_vehicle/orders.csv": ORDERS + ORDER,
    "bad_vehicle/couriers.csv": COURIERS.replace("motorcycle", "tank"),
    "no_layout/readme.md": "orders are elsewhere",
    "half_mdrplib/orders.txt": "order\tx\ty\n",
    "runs/20260101T000000Z-tiny-model/manifest.json": '{"run_id": ',
    "runs/20260102T000000Z-tiny-model/manifest.json": '{"run_id": "x"}',
    "unknown.json": '{"print_max_atempts": 3}',
    "typed.json": '{"readers": "many"}',
    "cut.json": '{"readers": 3',
    "taken.txt": "a file",
    "full/kept.txt": "an earlier result",
    "junk/replications.jsonl": "not a replication\n",
}

CASES: dict[str, tuple[Args, str]] = {
    # the scenario's name and file
    "unknown scenario": (("simulate", "lunch_pek"), r"no scenario is named `lunch_pek`; did you mean `lunch_peak`\?"),
    "empty name": (model(""), r"no scenario is named ``; known: .*lunch_peak"),
    "no file": (model("nowhere/mine.yaml"), r"nowhere/mine\.yaml: no such file"),
    "folder for a file": (model("town"), r"town: is a folder; a scenario is a YAML file or one of: .*lunch_peak"),
    "no scenario at all": (("simulate",), r"Missing argument 'SCENARIO'.*o2o simulate --help"),
    "empty file": (model("empty.yaml"), r"empty\.yaml: the file is empty; a scenario needs at least `name:`"),
    "list for a mapping": (model("list.yaml"), r"list\.yaml:1: a scenario is a mapping of fields"),
    "bad YAML": (model("broken.yaml"), r"broken\.yaml:3: not valid YAML"),
    "not UTF-8": (model("latin.yaml"), r"latin\.yaml: not UTF-8 text .*byte 9"),
    "key twice": (model("twice.yaml"), r"twice\.yaml:3: `seed` is given twice"),
    "unknown key": (model("typo.yaml"), r"typo\.yaml:3: unknown field `demand\.orders_per_huor`; did you mean `o.*`\?"),
    "truth for a number": (model("truth.yaml"), r"truth\.yaml:2: `clock\.duration_s`: input should be a number"),
    "coupon twice": (model("coupons.yaml"), r"coupons\.yaml:2: `coupons`: codes must be unique, A is there twice"),
    "extends in a circle": (model("circle.yaml"), r"`extends` runs in a circle: circle\.yaml -> round\.yaml -> circle"),
    "extends unknown": (model("orphan.yaml"), r"orphan\.yaml:2: `extends`: .*did you mean `lunch_peak`\?"),
    "alias of itself": (model("itself.yaml"), r"itself\.yaml: nested too deeply, or an alias"),
    "curve backwards": (model("curve.yaml"), r"demand\.curve: knot 1 \(at_min 660\) must come after knot 0"),
    "second of two is bad": (("scenarios", "check", "typo.yaml", "tiny.yaml"), r"typo\.yaml:3: unknown field"),
    "show unknown": (("scenarios", "show", "pool_qouta"), r"did you mean `pool_quota`\?"),
    # --set and --seed
    "set unknown": (changed("city.node=9"), r"--set city\.node=9: unknown field .*did you mean `nodes`"),
    "set without value": (changed("seed"), r"--set seed: write FIELD=VALUE"),
    "set bad YAML": (changed("seed=["), r"--set seed=\[: the value is not valid YAML"),
    "negative rate": (changed("demand.orders_per_hour=-5"), r"greater than or equal to 0, not -5"),
    "endless rate": (changed("demand.orders_per_hour=.inf"), r"a finite number, not inf"),
    "absurd rate": (changed("demand.orders_per_hour=1.0e+12"), r"intents are expected .*at most 20,000,000"),
    "wrong type": (changed("city.zones=many"), r"`city\.zones`: input should be a valid integer.*not 'many'"),
    "list wanted": (changed("coupons=3"), r"`coupons`: input should be a list, not 3"),
    "bad word": (changed("demand.weather=snow"), r"should be 'clear', 'rain' or 'storm', not 'snow'"),
    "shares": (changed("city.riders.bicycle=1"), r"`city\.riders`: the shares .* must sum to 1"),
    "no such item": (changed("coupons[2].off_fen=1"), r"there is no item \[2\]"),
    "negative seed": (model("tiny.yaml", "--seed", "-3"), r"--seed -3: `seed`: .*greater than or equal to 0"),
    "seed no number": (model("tiny.yaml", "--seed", "x"), r"Invalid value for '--seed': .*integer"),
    # road graphs
    "no graph": (graph("no.graphml"), r"city\.graph: no\.graphml: no such file or folder"),
    "graph of another format": (graph("roads.shp"), r"roads\.shp: not a known format \(allowed: \.graphml"),
    "graph cut off": (graph("cut.graphml"), r"city\.graph: cut\.graphml:2: not well-formed XML"),
    "node without place": (graph("placeless.graphml"), r"node 1 has no coordinates \(data x and y wanted\)"),
    "not OSM": (graph("not.osm.pbf"), r"not\.osm\.pbf: not OpenStreetMap data"),
    "folder without roads": (graph("full"), r"full/nodes\.csv: no such file"),
    "no edges": (graph("edgeless"), r"edgeless/edges\.csv: no such file"),
    "nodes without numbers": (graph("nameless"), r"nodes\.csv:1: no column 'node_index' \(found: id, pos_x, pos_y\)"),
    "nodes without places": (graph("flat"), r"nodes\.csv:1: no columns pos_x and pos_y, or lat and lng"),
    "node twice": (graph("doubled"), r"nodes\.csv:27: node_index '0-3' is there twice"),
    "edge to nowhere": (graph("astray"), r"edges\.csv:82: to_node '9-9' is not in nodes\.csv"),
    "islands": (graph("islands"), r"islands: not connected: .* 25 of 75 nodes \(33%\), at least 50%"),
    "one way only": (graph("one_way"), r"one_way: not connected: .* 1 of 25 nodes, at least 16"),
    # a real day
    "no orders folder": (day("gone"), r"demand\.orders: gone: a folder is wanted, this does not exist"),
    "orders a file": (day("taken.txt"), r"demand\.orders: taken\.txt: a folder is wanted, this is a file"),
    "no layout": (day("no_layout"), r"no_layout: no known layout \(allowed: orders\.csv \+ couriers\.csv, or"),
    "half a layout": (day("half_mdrplib"), r"half_mdrplib/instance_parameters\.txt: no such file"),
    "orders without column": (day("no_column"), r"no_column/orders\.csv:1: no column 'ready_time' \(found: pick"),
    "bad time": (day("bad_time"), r"bad_time/orders\.csv:3: placement_time is '25:00:00', a time of day"),
    "no couriers": (day("no_couriers"), r"no_couriers/couriers\.csv: no such file"),
    "bad vehicle": (
        day("bad_vehicle"),
        r"couriers\.csv:2: vehicle is 'tank', one of motorcycle, bicycle, car, walking",
    ),
    # where things go
    "out is a file": (model("tiny.yaml", "--out", "taken.txt"), r"--out taken\.txt: is a file; name a folder"),
    "out is not empty": (model("tiny.yaml", "--out", "full"), r"--out full: the folder is not empty"),
    "out beneath a file": (
        model("tiny.yaml", "--out", "taken.txt/run"),
        r"--out taken\.txt/run: .*taken\.txt is a file",
    ),
    "json is a folder": (model("tiny.yaml", "--json", "full"), r"--json full: is a folder; name a file"),
    "json beneath a file": (
        model("tiny.yaml", "--json", "taken.txt/x.json"),
        r"--json .*taken\.txt is a file, not a folder",
    ),
    "schema to a folder": (("scenarios", "schema", "--out", "full"), r"--out full: is a folder; name a file"),
    # the command line
    "unknown command": (("simulte", "tiny.yaml"), r"No such command 'simulte'. Did you mean 'simulate'\?"),
    "unknown subcommand": (("scenarios", "shw"), r"No such command 'shw'. Did you mean 'show'\?"),
    "unknown option": (model("tiny.yaml", "--sede", "3"), r"No such option: --sede .*--seed.*o2o simulate --help"),
    "one argument too many": (model("tiny.yaml", "tiny.yaml"), r"[Uu]nexpected extra argument.*tiny\.yaml"),
    "demo too short": (("demo", "--duration", "1"), r"Invalid value for '--duration': .*5"),
    "unknown benchmark": (("bench", "no_such_row"), r"no_such_row.*known: .*pricing"),
    # live
    "pools live": (
        ("load", "pool_quota"),
        r"`pool_quota` is .* kind `pools`; `o2o load` runs kind `city` \(try `o2o compare`\)",
    ),
    "people who write, live": (
        ("load", "printer_ages", "--set", "printing.age=phone"),
        r"printing\.age phone: people who write are only in the model; .* --set printing\.age=cloud",
    ),
    "a cover on a cable": (
        model("printer_ages", "--set", "printing.faults.cover_open=0.1"),
        r"a printer on a cable has no cover_open: .*paper_end, offline, lost_ack",
    ),
    "speed 0": (load("--speed", "0"), r"Invalid value for '--speed': .*0\.001"),
    "speed endless": (load("--speed", "inf"), r"Invalid value for '--speed': .*1000000"),
    "negative drain": (load("--drain", "-1"), r"Invalid value for '--drain'"),
    "target elsewhere": (
        load("--target", "http://10.0.0.1:8000"),
        r"--target http://10\.0\.0\.1:8000: load is sent to this machine only",
    ),
    "target by name": (
        load("--target", "http://example.com"),
        r"this machine only \(127\.0\.0\.0/8, \[::1\] or localhost\)",
    ),
    "target no URL": (load("--target", "127.0.0.1"), r"--target 127\.0\.0\.1: not a URL \(write e\.g\. http://"),
    "target with a wild port": (load("--target", "http://127.0.0.1:99999"), r":99999: not a URL"),
    "target without password": (load("--target", "http://127.0.0.1:9"), r"password of .* in O2O_ADMIN_PASSWORD"),
    # compare
    "one variant": (vary("crm.bds=1"), r"--vary crm\.bds=1: write FIELD=A,B with two values or more"),
    "vary unknown": (vary("crm.pool.qouta=1,2"), r"--vary crm\.pool\.qouta=1: unknown field .*did you mean `quota`\?"),
    "vary out of range": (vary("crm.bds=1,-2"), r"--vary crm\.bds=-2: `crm\.bds`: .*greater"),
    "variants alike": (vary("crm.bds=2,2"), r"--vary crm\.bds=2,2: the values must differ"),
    "variants of two kinds": (vary("kind=city,pools"), r"the variants must be of one kind"),
    "vary missing": (("compare", "tiny.yaml"), r"does not say what to vary: write --vary FIELD=A,B"),
    "one replication": (
        ("compare", "tiny.yaml", "--vary", "crm.bds=1,2", "-n", "1"),
        r"Invalid value for '--replications'",
    ),
    "comparison in a file": (vary("crm.bds=1,2", "--out", "taken.txt"), r"--out taken\.txt: is a file; name a folder"),
    "comparison in a wrong folder": (
        vary("crm.bds=1,2", "--out", "junk"),
        r"junk/replications\.jsonl:1: not a replication",
    ),
    "comparison without roads": (vary("city.graph=a.osm,b.osm"), r"city\.graph: a\.osm: no such file"),
    # runs and reports
    "unknown run": (
        ("report", "20260103T000000Z-tiny-modl", "--root", "runs"),
        r"no run is called .*did you mean .*-tiny-model",
    ),
    "no run yet": (("report", "latest", "--root", "runs"), r"there is no finished run in runs"),
    "unknown world": (
        ("report", "latest:mars", "--root", "runs"),
        r"no world is called 'mars' \(latest, latest:model or",
    ),
    "three runs": (("report", "a", "b", "c"), r"a report takes one run or two, not 3"),
    "no run folder": (("report", "full"), r"full: not a run \(it has no manifest\.json\)"),
    "manifest cut off": (
        ("report", "runs/20260101T000000Z-tiny-model"),
        r"manifest\.json: not a run's manifest \(.*line 1",
    ),
    "manifest of something else": (("report", "runs/20260102T000000Z-tiny-model"), r"manifest \(verdicts is missing\)"),
    "report to a folder": (("report", "latest", "--out", "full"), r"--out full: is a folder"),
    "no folder of runs": (("runs", "--root", "gone"), r"--root gone: no such folder"),
    "zero runs": (("runs", "--limit", "0"), r"Invalid value for '--limit'"),
    # serve
    "no settings": (serve("--settings", "gone.json"), r"--settings gone\.json: cannot be read \(No such file"),
    "settings cut off": (serve("--settings", "cut.json"), r"--settings cut\.json: not JSON \(.*line 1"),
    "unknown setting": (
        serve("--settings", "unknown.json"),
        r"unknown setting `print_max_atempts`; did you mean `print_max_attempts`\?",
    ),
    "setting of a wrong type": (
        serve("--settings", "typed.json"),
        r"--settings typed\.json: setting readers .*a whole number, not 'many'",
    ),
    "port out of range": (("serve", "--port", "70000"), r"Invalid value for '--port': .*65535"),
    "address of another machine": (serve("--host", "192.0.2.1"), r"192\.0\.2\.1:0: cannot listen there"),
    "database of another make": (
        serve("--database", "mysql://x/y"),
        r"mysql://x/y: sqlite:///path/of/a/file or postgresql://.* is needed",
    ),
    "database in no folder": (serve("--database", "sqlite:///gone/o2o.db"), r"the database cannot be opened"),
    "database no database": (
        serve("--database", "sqlite:///tiny.yaml"),
        r"tiny\.yaml: the database cannot be opened \(file is not a database\)",
    ),
}

VARIABLES = {
    "O2O_READERS": ("many", r"setting readers \(O2O_READERS\): must be a whole number, not 'many'"),
    "O2O_PRINT_MAX_ATTEMPTS": ("0", r"O2O_PRINT_MAX_ATTEMPTS\): must be 1 or more, not 0"),
    "O2O_DURABLE": ("perhaps", r"O2O_DURABLE\): must be true or false, not 'perhaps'"),
    "O2O_DISPATCH_RULE": ("farthest", r"O2O_DISPATCH_RULE\): must be one of nearest, least_loaded, not 'farthest'"),
}


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all the bad files in it, and a good one."""
    root = tmp_path_factory.mktemp("inputs")
    for name, content in {**FILES, "tiny.yaml": "name: tiny\ncity: {nodes: 100}\n"}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.fixture
def inputs(pile: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the bad files as the current one."""
    monkeypatch.chdir(pile)
    return pile


def everything(folder: Path) -> dict[Path, tuple[int, int]]:
    """Each file and folder with its size and the time of its last change."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def check(code: int, err: str, message: str) -> None:
    assert "Traceback" not in err
    assert err.count("\n") == 1, err
    assert err.startswith("o2o: ")
    assert re.search(message, err), err
    assert code == 2


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_told_in_one_line_and_leaves_nothing(name: str, inputs: Path, o2o: Any) -> None:
    args, message = CASES[name]
    before = everything(inputs)
    said = o2o(*args)
    check(said.code, said.err, message)
    assert everything(inputs) == before


@pytest.mark.parametrize("name", VARIABLES)
def test_a_bad_variable_is_told_in_one_line(name: str, inputs: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    value, message = VARIABLES[name]
    monkeypatch.setenv(name, value)
    before = everything(inputs)
    said = o2o(*serve())
    check(said.code, said.err, message)
    assert everything(inputs) == before


def test_a_port_that_is_taken_is_told_in_one_line(inputs: Path, o2o: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = o2o("serve", "--port", str(port), "--provider-port", "0")
    check(said.code, said.err, rf"127\.0\.0\.1:{port}: cannot listen there .*choose another --port")


def test_a_run_that_fails_on_its_way_is_no_finished_run(o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_ADMIN_PASSWORD", "secret")
    said = o2o(*load("--quiet", "--target", "http://127.0.0.1:9", "--out", "run"))
    check(said.code, said.err, r"http://127\.0\.0\.1:9.*refused")
    listed = o2o("runs", "--root", ".")
    assert re.search(r"run +live +failed", listed.out)
    said = o2o("report", "latest", "--root", ".")
    check(said.code, said.err, r"there is no finished run")


@pytest.mark.parametrize("name", ["show unknown", "islands", "unknown command", "no folder of runs"])
def test_the_same_from_a_process_of_its_own(name: str, inputs: Path) -> None:
    args, message = CASES[name]
    done = subprocess.run(
        [sys.executable, "-m", "o2o_cli.main", *args], capture_output=True, text=True, cwd=inputs, env=dict(os.environ)
    )
    check(done.returncode, done.stderr, message)
    assert done.stdout == ""
    assert not (inputs / "results").exists()


def test_o2o_debug_shows_where(inputs: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("O2O_DEBUG", "1")
    with pytest.raises(ScenarioError, match="the file is empty"):
        o2o(*model("empty.yaml"))


def test_a_mistake_of_our_own_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 / 0)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_every_package_has_a_base_exception_that_is_told(name: str) -> None:
    module, _, kind = name.rpartition(".")
    error = getattr(import_module(module), kind)
    assert is_told(error("x"))
    assert not is_told(ValueError("x"))
