"""Road graphs from files: small ones written here, in each format, and what is said about broken ones."""

import numpy as np
import osmium
import pytest

from o2o_sim.city.projection import from_plane
from o2o_sim.city.read import read_graph
from o2o_sim.city.read.tags import direction, road, speed_kmh
from o2o_sim.errors import CityError

SIDE = 5


def spots():
    """A 5 by 5 grid of 100 m about Delft: name -> (lat, lng)."""
    found = {}
    for row in range(SIDE):
        for column in range(SIDE):
            lat, lng = from_plane(np.array([column * 100.0]), np.array([row * 100.0]), (52.0, 4.36))
            found[1000 + row * SIDE + column] = (float(lat[0]), float(lng[0]))
    return found


def blocks():
    """Both directions of every block of the grid, as (from, to)."""
    one_way = []
    for row in range(SIDE):
        for column in range(SIDE):
            here = 1000 + row * SIDE + column
            if column + 1 < SIDE:
                one_way.append((here, here + 1))
            if row + 1 < SIDE:
                one_way.append((here, here + SIDE))
    return one_way + [(b, a) for a, b in one_way]


# --- GraphML ------------------------------------------------------------------------------------------------------


def graphml(tmp_path, *, nodes=None, edges=None, crs="epsg:4326", name="town.graphml", directed=True):
    nodes = spots() if nodes is None else nodes
    edges = [(a, b, {"length": "100.0", "highway": "residential", "maxspeed": "30"}) for a, b in blocks()] + (
        edges or []
    )
    keys = {"x": "d5", "y": "d4", "length": "d15", "highway": "d13", "maxspeed": "d14", "oneway": "d10"}
    lines = ["<?xml version='1.0' encoding='utf-8'?>", '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    for attribute, key in keys.items():
        where = "node" if attribute in "xy" else "edge"
        lines.append(f'<key id="{key}" for="{where}" attr.name="{attribute}" attr.type="string"/>')
    lines.append('<key id="d1" for="graph" attr.name="crs" attr.type="string"/>')
    lines.append(f'<graph edgedefault="{"directed" if directed else "undirected"}"><data key="d1">{crs}</data>')
    for number, (lat, lng) in nodes.items():
        lines.append(f'<node id="{number}"><data key="d4">{lat}</data><data key="d5">{lng}</data></node>')
    for a, b, data in edges:
        inner = "".join(f'<data key="{keys[k]}">{v}</data>' for k, v in data.items())
        lines.append(f'<edge source="{a}" target="{b}" id="0">{inner}</edge>')
    lines.append("</graph></graphml>")
    path = tmp_path / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def edge_of(graph, lat_lng_from, lat_lng_to):
    """Index of the edge between the nodes at two places."""

    def node(place):
        return int(np.argmin(np.hypot(graph.lat - place[0], graph.lng - place[1])))

    tail, head = node(lat_lng_from), node(lat_lng_to)
    found = [e for e in range(graph.indptr[tail], graph.indptr[tail + 1]) if graph.indices[e] == head]
    assert len(found) == 1
    return found[0]


def test_graphml_lists_gaps_loops_and_parallel_edges(tmp_path):
    place = spots()
    place[2000] = (52.1, 4.4)  # leads nowhere: a dead end that cannot be left
    extra = [
        (1000, 1006, {"highway": "['primary', 'residential']", "maxspeed": "['30', '50']"}),  # no length
        (1000, 1001, {"length": "100.0", "highway": "residential", "maxspeed": "60"}),  # parallel and faster
        (1003, 1003, {"length": "40.0", "highway": "residential"}),  # a loop
        (1004, 2000, {"length": "900.0", "highway": "track"}),
    ]
    graph = read_graph(graphml(tmp_path, nodes=place, edges=extra))
    assert (graph.n_nodes, graph.n_edges) == (25, 81)
    across = edge_of(graph, place[1000], place[1006])
    assert graph.lengths_m[across] == pytest.approx(141.4, abs=0.5)  # the straight line
    assert graph.lengths_m[across] / graph.travel_s[across] * 3.6 == pytest.approx(40.0)  # the mean of 30 and 50
    assert graph.rank[across] == 1  # the higher of the two classes
    fast = edge_of(graph, place[1000], place[1001])
    assert graph.travel_s[fast] == pytest.approx(6.0)
    notes = graph.notes
    assert notes["lengths_assumed"] == 1
    assert notes["loops_dropped"] == 1
    assert notes["parallel_edges_dropped"] == 1
    assert notes["nodes_dropped"] == 1
    assert notes["edges_dropped"] == 1
    assert notes["attribution"] == "© OpenStreetMap contributors"


def test_graphml_in_utm_metres(tmp_path):
    nodes = {}
    for i, number in enumerate(spots()):
        nodes[number] = (5_334_760.0 + 100 * (i // SIDE), 691_603.0 + 100 * (i % SIDE))
    graph = read_graph(graphml(tmp_path, nodes=nodes, crs="epsg:32632"))
    assert graph.lat[0] == pytest.approx(48.137, abs=0.002)
    assert graph.lng[0] == pytest.approx(11.575, abs=0.002)
    assert np.ptp(graph.x_m) == pytest.approx(400, rel=0.05)


def test_undirected_graphml_goes_both_ways(tmp_path):
    half = graphml(tmp_path, name="directed.graphml")
    text = half.read_text(encoding="utf-8").replace('edgedefault="directed"', 'edgedefault="undirected"')
    lines = text.splitlines()
    edges = [line for line in lines if line.startswith("<edge")]
    keep = [line for line in lines if not line.startswith("<edge")]
    one_way = edges[: len(edges) // 2]
    path = tmp_path / "half.graphml"
    path.write_text("\n".join([*keep[:-1], *one_way, keep[-1]]), encoding="utf-8")
    assert read_graph(path).n_edges == 80


def test_graphml_that_is_not_xml_names_the_line(tmp_path):
    path = tmp_path / "broken.graphml"
    path.write_text("<graphml>\n<graph>\n<node id='1'>\n</graph>", encoding="utf-8")
    with pytest.raises(CityError, match=r"broken\.graphml:4: not well-formed XML"):
        read_graph(path)


def test_graphml_with_an_edge_to_nowhere(tmp_path):
    path = graphml(tmp_path, edges=[(1000, 77, {"length": "5"})])
    with pytest.raises(CityError, match=r"edge 1000 -> 77: no node '77'"):
        read_graph(path)


def test_graphml_node_without_a_place(tmp_path):
    with pytest.raises(CityError, match="node 1000 has no coordinates"):
        read_graph(graphml(tmp_path, nodes={**spots(), 1000: ("", "")}))


def test_graphml_metres_taken_for_degrees(tmp_path):
    nodes = {n: (5_334_760.0 + i, 691_603.0 + i) for i, n in enumerate(spots())}
    with pytest.raises(CityError, match="25 of 25 nodes have no place on earth"):
        read_graph(graphml(tmp_path, nodes=nodes))


# --- connectedness ------------------------------------------------------------------------------------------------


def test_a_graph_in_two_halves_is_not_connected(tmp_path):
    place, ways = {}, []
    for part in range(3):
        for i in range(20):
            place[part * 100 + i] = (52.0 + part * 0.01, 4.36 + i * 0.001)
        ring = [(part * 100 + i, part * 100 + (i + 1) % 20, {"length": "70"}) for i in range(20)]
        ways += ring
    path = graphml(tmp_path, nodes={**spots(), **place}, edges=ways)
    with pytest.raises(CityError, match=r"not connected: .* has 25 of 85 nodes \(29%\)"):
        read_graph(path)


def test_a_graph_of_dead_ends_is_not_connected(tmp_path):
    folder = csv_town(tmp_path, both_ways=False)
    with pytest.raises(CityError, match=r"not connected: .* has 1 of 25 nodes, at least 16 are needed"):
        read_graph(folder)


# --- nodes.csv and edges.csv --------------------------------------------------------------------------------------


def csv_town(tmp_path, *, columns=("pos_x", "pos_y"), place=None, both_ways=True, crs=None):
    folder = tmp_path / "town"
    folder.mkdir(exist_ok=True)
    place = place or (lambda row, column: (691_603.0 + 100 * column, 5_334_760.0 + 100 * row))
    nodes = ["node_index,is_stop_only," + ",".join(columns)]
    for i in range(SIDE * SIDE):
        first, second = place(i // SIDE, i % SIDE)
        nodes.append(f"{i},False,{first},{second}")
    edges = ["from_node,to_node,distance,travel_time,source_edge_id"]
    ways = blocks() if both_ways else blocks()[: len(blocks()) // 2]
    edges += [f"{a - 1000},{b - 1000},100.0,7.2,1.0" for a, b in ways]
    (folder / "nodes.csv").write_text("\n".join(nodes) + "\n", encoding="utf-8")
    (folder / "edges.csv").write_text("\n".join(edges) + "\n", encoding="utf-8")
    if crs:
        (folder / "crs.info").write_text(crs, encoding="utf-8")
    return folder


def test_csv_in_utm_metres_takes_the_zone_of_crs_info(tmp_path):
    graph = read_graph(csv_town(tmp_path, crs="epsg:32633"))
    assert graph.n_nodes == 25
    assert graph.lng[0] == pytest.approx(17.575, abs=0.002)  # 6 degrees east of zone 32
    assert graph.notes["crs"] == "UTM zone 33N"
    assert graph.notes["attribution"] == "© OpenStreetMap contributors"
    assert graph.travel_s == pytest.approx(7.2)


def test_csv_without_crs_info_says_what_is_assumed(tmp_path):
    graph = read_graph(csv_town(tmp_path))
    assert graph.lat[0] == pytest.approx(48.137, abs=0.002)
    assert graph.lng[0] == pytest.approx(11.575, abs=0.002)
    assert "assumed" in graph.notes["crs"]


def test_csv_in_metres_of_a_plane(tmp_path):
    folder = csv_town(tmp_path, place=lambda row, column: (column * 100.0, row * 100.0))
    edges = (folder / "edges.csv").read_text(encoding="utf-8")
    (folder / "edges.csv").write_text(edges.replace(",source_edge_id", ",remark"), encoding="utf-8")
    graph = read_graph(folder)
    assert "attribution" not in graph.notes
    assert np.ptp(graph.x_m) == pytest.approx(400, rel=0.01)
    assert "metres of a plane" in graph.notes["crs"]


def test_csv_in_degrees(tmp_path):
    folder = csv_town(
        tmp_path, columns=("lat", "lng"), place=lambda row, column: (52 + row * 0.001, 4 + column * 0.001)
    )
    graph = read_graph(folder)
    assert graph.bounds() == pytest.approx((52.0, 4.0, 52.004, 4.004))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("nodes.csv", "node_index", "node", r"nodes\.csv:1: no column 'node_index' \(found: node,"),
        ("nodes.csv", "pos_y", "height", r"nodes\.csv:1: no columns pos_x and pos_y, or lat and lng"),
        ("nodes.csv", "691603.0", "abc", r"nodes\.csv:2: pos_x is 'abc', a number is wanted"),
        ("nodes.csv", "691703.0", "", r"nodes\.csv:3: pos_x is empty"),
        ("edges.csv", "to_node", "to", r"edges\.csv:1: no column 'to_node'"),
        ("edges.csv", "0,1,100.0", "0,99,100.0", r"edges\.csv:2: to_node '99' is not in nodes\.csv"),
        ("edges.csv", "0,1,100.0", "0,1,-100.0", r"edges\.csv:2: distance is -100\.0, it must not be negative"),
    ],
)
def test_csv_errors_name_file_and_line(tmp_path, file, old, new, message):
    path = csv_town(tmp_path) / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CityError, match=message):
        read_graph(path.parent)


def test_csv_folder_without_edges(tmp_path):
    folder = csv_town(tmp_path)
    (folder / "edges.csv").unlink()
    with pytest.raises(CityError, match=r"edges\.csv: no such file"):
        read_graph(folder)


# --- OpenStreetMap extracts ---------------------------------------------------------------------------------------


def osm_town(tmp_path, name="town.osm.pbf"):
    """The grid as streets of five nodes each; a one-way street, a reversed one, a lane of its own shape, a footway."""
    path = tmp_path / name
    place = {number - 999: where for number, where in spots().items()}  # ids 1..25
    place[90] = (52.0002, 4.3601)  # a bend between nodes 1 and 7
    writer = osmium.SimpleWriter(str(path))
    for number, (lat, lng) in sorted(place.items()):
        writer.add_node(osmium.osm.mutable.Node(id=number, location=(lng, lat), version=1))
    ways = []
    for k in range(SIDE):
        row = [1 + k * SIDE + c for c in range(SIDE)]
        column = [1 + r * SIDE + k for r in range(SIDE)]
        ways.append((row, {"highway": "tertiary", "maxspeed": "25 mph"}))
        ways.append((column, {"highway": "residential"}))
    ways[0] = (ways[0][0], {"highway": "residential", "oneway": "yes"})
    ways[2] = (ways[2][0], {"highway": "residential", "oneway": "-1"})
    ways.append(([1, 90, 7], {"highway": "primary", "oneway": "yes"}))
    ways.append(([2, 8], {"highway": "footway"}))
    ways.append(([3, 9], {"highway": "residential", "access": "private"}))
    ways.append(([4, 10], {"highway": "service"}))
    ways.append(([5, 9], {"highway": "service", "name": "后街"}))
    ways.append(([25, 777], {"highway": "residential"}))  # its other end lies outside the extract
    for number, (refs, tags) in enumerate(ways, start=1):
        writer.add_way(osmium.osm.mutable.Way(id=number, nodes=refs, tags=tags, version=1))
    writer.close()
    return path, place


@pytest.mark.parametrize("name", ["town.osm.pbf", "town.osm"])
def test_osm_extract(tmp_path, name):
    path, place = osm_town(tmp_path, name)
    graph = read_graph(path)
    assert graph.n_nodes == 25  # the bend is not a junction
    # 40 blocks both ways, less 4 of each one-way street, plus the bent primary and the named service road both ways
    assert graph.n_edges == 80 - 8 + 1 + 2
    bend = edge_of(graph, place[1], place[7])
    straight = np.hypot(100, 100)
    assert graph.lengths_m[bend] > straight
    assert graph.rank[bend] == 1
    forth = edge_of(graph, place[1], place[2])
    assert graph.lengths_m[forth] == pytest.approx(100, rel=0.01)
    against = edge_of(graph, place[7], place[6])
    assert graph.lengths_m[against] == pytest.approx(100, rel=0.01)
    tertiary = edge_of(graph, place[11], place[12])
    assert graph.lengths_m[tertiary] / graph.travel_s[tertiary] * 3.6 == pytest.approx(25 * 1.609344)
    assert graph.notes["attribution"] == "© OpenStreetMap contributors"
    for a, b in ((2, 1), (6, 7)):
        with pytest.raises(AssertionError):
            edge_of(graph, place[a], place[b])


def test_osm_file_that_is_none(tmp_path):
    path = tmp_path / "noise.osm.pbf"
    path.write_bytes(b"\x00\x01not a map at all" * 50)
    with pytest.raises(CityError, match=r"noise\.osm\.pbf: not OpenStreetMap data"):
        read_graph(path)


# --- paths and tags -----------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path):
    with pytest.raises(CityError, match=r"city\.graph: .*nowhere\.graphml: no such file or folder"):
        read_graph(tmp_path / "nowhere.graphml")


def test_unknown_format_names_the_known_ones(tmp_path):
    path = tmp_path / "map.png"
    path.write_bytes(b"x")
    with pytest.raises(CityError, match=r"not a known format \(allowed: \.graphml, \.osm\.pbf"):
        read_graph(path)


def test_tags():
    assert speed_kmh("['30', '50']") == 40.0
    assert speed_kmh("50 km/h") == 50.0
    assert speed_kmh("20 mph") == pytest.approx(32.19, abs=0.01)
    assert speed_kmh("none") == 130.0
    assert np.isnan(speed_kmh("DE:urban"))
    assert np.isnan(speed_kmh(""))
    assert road("['living_street', 'residential']") == (4, 15.0)
    assert road("footway") is None
    assert direction(None, "roundabout", "residential") == 1
    assert direction("no", None, "motorway") == 0
    assert direction("-1", None, "residential") == -1
