"""Real days: both layouts on small files written here, what is said about broken ones, and fitting to a graph."""

import numpy as np
import pytest

from o2o_scenarios.schema import CitySpec, DemandSpec, MerchantsSpec, Scenario
from o2o_sim.city.build import build_city
from o2o_sim.city.projection import from_plane
from o2o_sim.demand.build import build_trace
from o2o_sim.demand.clock import effective_clock
from o2o_sim.demand.realday import read_day
from o2o_sim.errors import DemandError

CALI = (3.42, -76.53)
ORDER_HEAD = (
    "order_id,pick_up_lat,pick_up_lng,drop_off_lat,drop_off_lng,placement_time,preparation_time,ready_time,"
    "expected_drop_off_time"
)
COURIER_HEAD = "courier_id,vehicle,on_lat,on_lng,on_time,off_time"


def rappi(folder, *, origin=CALI, size_m=6000.0, n=60):
    """`n` orders of 10 shops within a square of `size_m`, and 8 couriers."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)

    def places(k):
        return from_plane(rng.uniform(-size_m / 2, size_m / 2, k), rng.uniform(-size_m / 2, size_m / 2, k), origin)

    shop_lat, shop_lng = places(10)
    drop_lat, drop_lng = places(n)
    lines = [ORDER_HEAD]
    for i in range(n):
        s = i % 10
        lines.append(
            f"{i + 1},{shop_lat[s]:.9f},{shop_lng[s]:.9f},{drop_lat[i]:.9f},{drop_lng[i]:.9f},"
            f"{8 + i % 12:02d}:{i % 60:02d}:30,{8 + i % 12:02d}:{i % 60:02d}:45,{9 + i % 12:02d}:00:30,23:00:00"
        )
    where = f"{shop_lat[0]:.9f},{shop_lng[0]:.9f},{drop_lat[0]:.9f},{drop_lng[0]:.9f}"
    lines.append(f"{n + 1},{where},23:50:00,23:51:00,00:12:00,00:30:00")
    lat, lng = places(8)
    couriers = [COURIER_HEAD]
    vehicles = ("motorcycle", "bicycle", "car", "walking")
    for i in range(8):
        off = ("23:00:00", "02:00:00")[i == 7]
        couriers.append(f"{i + 1},{vehicles[i % 4]},{lat[i]},{lng[i]},{i:02d}:30:00,{off}")
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "couriers.csv").write_text("\n".join(couriers) + "\n", encoding="utf-8")
    return folder


def mdrplib(folder):
    """Three restaurants, five orders, two couriers, on 4 by 3 km."""
    folder.mkdir(exist_ok=True)
    tables = {
        "orders.txt": "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
        "o1\t0\t0\t600\tr1\t615\no2\t4000\t3000\t605\tr1\t625\no3\t2000\t1500\t600\tr2\t610\n"
        "o4\t1000\t500\t1430\tr2\t1445\no5\t300\t2900\t700\tr1\t700\n",
        "restaurants.txt": "restaurant\tx\ty\nr1\t1500\t1500\nr2\t2500\t1200\nr3\t100\t100\n",
        "couriers.txt": "courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t720\nc2\t4000\t3000\t600\t1500\n",
        "instance_parameters.txt": "meters_per_minute\tpickup service minutes\tdropoff service minutes\n320\t4\t4\n",
    }
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def story(folder, **city):
    spec = {"nodes": 400, "extent_km": 5, "rivers": 0, "merchants": MerchantsSpec(dishes=6), **city}
    return Scenario(name="day", city=CitySpec(**spec), demand=DemandSpec(orders=str(folder), orders_per_hour=1))


def test_rappi_columns(tmp_path):
    day = read_day(rappi(tmp_path / "day"))
    assert (day.layout, day.unit) == ("rappi", "degrees")
    assert len(day.placed_s) == 61
    assert (len(day.shops.east), len(day.drops.east), len(day.couriers.east)) == (10, 60, 8)
    assert day.placed_s[0] == 8 * 3600 + 30
    assert day.prep_s[0] == 3600.0
    assert day.prep_s[60] == 22 * 60  # 23:50 to 00:12, past midnight
    assert day.notes["ready_past_midnight"] == 1
    assert day.vehicles == ("motorcycle", "bicycle", "car", "walking") * 2
    assert day.off_s[7] == 26 * 3600.0  # 02:00 of the next day
    assert day.courier_kmh is None


def test_mdrplib_columns(tmp_path):
    day = read_day(mdrplib(tmp_path / "day"))
    assert (day.layout, day.unit) == ("mdrplib", "metres")
    assert day.placed_s.tolist() == [36_000.0, 36_300.0, 36_000.0, 85_800.0, 42_000.0]
    assert day.prep_s.tolist() == [900.0, 1200.0, 600.0, 900.0, 0.0]
    assert day.shop.tolist() == [0, 0, 1, 1, 0]
    assert len(day.shops.east) == 3  # a restaurant without orders is one all the same
    assert day.courier_kmh == pytest.approx(19.2)
    assert day.off_s.tolist() == [43_200.0, 90_000.0]


@pytest.mark.parametrize("layout", [rappi, mdrplib])
def test_every_row_becomes_an_intent(tmp_path, layout):
    scenario = story(layout(tmp_path / "day"))
    city = build_city(scenario)
    trace = build_trace(scenario, city)
    day = read_day(tmp_path / "day")
    intents = trace.intents()
    assert len(intents) == len(day.placed_s)
    assert sorted(i.intended_s for i in intents) == sorted(day.placed_s.tolist())
    assert sorted(i.prep_s for i in intents) == sorted(day.prep_s.tolist())
    assert all(i.kind == "order" and i.items for i in intents)
    assert all(i.drop_node == city.users[i.user_id].home_node for i in intents)
    assert sum(i.merchant_id == 0 for i in intents) == int((day.shop == 0).sum())
    assert len(city.merchants) == len(day.shops.east)
    assert all((m.open_min, m.close_min) == (0, 1440) for m in city.merchants)
    assert all(len(m.menu) == 6 for m in city.merchants)
    assert build_trace(scenario, build_city(scenario)).table.equals(trace.table)
    assert effective_clock(scenario) == (0.0, 86_400.0)


def test_couriers_become_riders(tmp_path):
    city = build_city(story(rappi(tmp_path / "day")))
    assert [rider.vehicle for rider in city.riders] == ["motorcycle", "bicycle", "car", "walking"] * 2
    assert [rider.speed_kmh for rider in city.riders[:4]] == [24.0, 14.0, 28.0, 4.8]
    assert (city.riders[7].on_s, city.riders[7].off_s) == (7.5 * 3600, 26 * 3600.0)
    grubhub = build_city(story(mdrplib(tmp_path / "grubhub")))
    assert [rider.speed_kmh for rider in grubhub.riders] == pytest.approx([19.2, 19.2])


def test_kitchens_are_as_large_as_the_day_needed(tmp_path):
    city = build_city(story(mdrplib(tmp_path / "day")))
    assert [m.slots for m in city.merchants] == [2, 1, 1]  # r1: 600-615 and 605-625 at once


def test_a_day_elsewhere_is_fitted_and_the_notes_say_so(tmp_path):
    scenario = story(rappi(tmp_path / "day", size_m=20_000.0))
    city = build_city(scenario)
    notes = build_trace(scenario, city).notes
    assert notes["fitted"] is True
    assert notes["day_extent_km"][0] == pytest.approx(20, rel=0.1)
    wanted = min(graph / day for graph, day in zip(notes["graph_extent_km"], notes["day_extent_km"], strict=True))
    assert notes["scale"] == pytest.approx(wanted, rel=1e-3)
    assert "scale" in notes["says"]
    used = np.asarray([m.node for m in city.merchants])
    assert len(set(used.tolist())) == 10
    # the aspect is kept: shops lie to each other as in the file, shrunk
    day = read_day(tmp_path / "day")
    between = np.hypot(np.diff(city.graph.x_m[used]), np.diff(city.graph.y_m[used]))
    north_m = np.diff(day.shops.north) * 111_195
    east_m = np.diff(day.shops.east) * 111_195 * np.cos(np.radians(CALI[0]))
    np.testing.assert_allclose(between, np.hypot(east_m, north_m) * notes["scale"], atol=500)


def test_a_small_town_is_moved_but_not_spread(tmp_path):
    notes = build_city(story(rappi(tmp_path / "day", size_m=1500.0))).notes["day"]
    assert notes["fitted"] is True
    assert notes["scale"] == 1.0


def test_a_day_on_the_graph_stays_where_it_is(tmp_path):
    folder = rappi(tmp_path / "day", origin=(30.25, 120.17), size_m=4000.0)
    city = build_city(story(folder))
    notes = city.notes["day"]
    assert notes["fitted"] is False
    assert notes["scale"] == 1.0
    day = read_day(folder)
    for shop, lat, lng in zip(city.merchants, day.shops.north, day.shops.east, strict=True):
        assert abs(shop.lat - lat) * 111_195 < 400
        assert abs(shop.lng - lng) * 96_000 < 400


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("orders.csv", "placement_time", "placed", r"orders\.csv:1: no column 'placement_time' \(found: order_id,"),
        ("orders.csv", "08:00:30", "8h", r"orders\.csv:2: placement_time is '8h', a time of day hh:mm:ss wanted"),
        ("orders.csv", "09:01:30", "25:01:30", r"orders\.csv:3: placement_time is '25:01:30', a time of day from"),
        (
            "orders.csv",
            "\n1,3.",
            "\n1,193.",
            r"orders\.csv:2: pick_up_lat is '193\..*', a number from -90 to 90 wanted",
        ),
        ("orders.csv", "\n1,3.", "\n1,x3.", r"orders\.csv:2: pick_up_lat is 'x3\..*', a number wanted"),
        ("orders.csv", ORDER_HEAD + "\n1,", ORDER_HEAD + "\n1,,", r"orders\.csv:2: pick_up_lat is missing"),
        ("couriers.csv", "bicycle", "rocket", r"couriers\.csv:3: vehicle is 'rocket', one of motorcycle, bicycle, car"),
        ("couriers.csv", "vehicle", "kind", r"couriers\.csv:1: no column 'vehicle'"),
    ],
)
def test_rappi_errors_name_file_and_line(tmp_path, file, old, new, message):
    folder = rappi(tmp_path / "day")
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DemandError, match=message) as caught:
        read_day(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("orders.txt", "\tr2\t610", "\tr9\t610", r"orders\.txt:4: restaurant 'r9' is not in restaurants\.txt"),
        ("orders.txt", "\t1430\t", "\t1500\t", r"orders\.txt:5: placement_time is 1500, a minute of the day"),
        ("orders.txt", "\t605\t", "\t-5\t", r"orders\.txt:3: placement_time is '-5', a number from 0 to 2880"),
        ("restaurants.txt", "r3", "r1", r"restaurants\.txt:4: restaurant 'r1' is there twice"),
        ("couriers.txt", "\t0\t720", "\tnoon\t720", r"couriers\.txt:2: on_time is 'noon', a number wanted"),
        (
            "instance_parameters.txt",
            "\n320\t4\t4\n",
            "\n",
            r"instance_parameters\.txt: one line of values wanted, found 0",
        ),
        ("instance_parameters.txt", "320", "0", r"instance_parameters\.txt:2: meters_per_minute is '0'"),
    ],
)
def test_mdrplib_errors_name_file_and_line(tmp_path, file, old, new, message):
    folder = mdrplib(tmp_path / "day")
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DemandError, match=message):
        read_day(folder)


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        (rappi, "couriers.csv"),
        (mdrplib, "couriers.txt"),
        (mdrplib, "restaurants.txt"),
        (mdrplib, "instance_parameters.txt"),
    ],
)
def test_a_missing_file_is_named(tmp_path, layout, file):
    (layout(tmp_path / "day") / file).unlink()
    with pytest.raises(DemandError, match=rf"{file}: no such file"):
        read_day(tmp_path / "day")


def test_folders_that_are_none(tmp_path):
    with pytest.raises(DemandError, match="does not exist"):
        read_day(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(DemandError, match="a folder is wanted, this is a file"):
        read_day(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DemandError, match=r"no known layout \(allowed: orders\.csv \+ couriers\.csv, or orders\.txt"):
        read_day(tmp_path / "empty")


def test_files_without_rows(tmp_path):
    folder = rappi(tmp_path / "day")
    (folder / "couriers.csv").write_text(COURIER_HEAD + "\n", encoding="utf-8")
    with pytest.raises(DemandError, match="no couriers in it"):
        read_day(folder)
    (folder / "orders.csv").write_text(ORDER_HEAD + "\n", encoding="utf-8")
    with pytest.raises(DemandError, match="no orders in it"):
        read_day(folder)
