"""Nearby: the free riders around a place, so that the rule need not be shown a whole fleet.

Decides nothing: which riders a rule is asked about is a question of loading, as in a database with a spatial index.
Latitude and longitude are cut into cells of about 300 m; a search returns whole cells, so always a little more.
"""

from __future__ import annotations

from math import cos, radians, sqrt
from typing import Final

from o2o_domain.dispatch import Candidate

CELL_DEG: Final = 0.0027
METRES_PER_DEGREE: Final = 111_000.0
"""A little less than a degree of latitude, so that a box of so many degrees is never too small."""
FEW: Final = 8
"""So few riders are looked through faster than their cells."""


class Nearby:
    """Free riders, by id and by cell."""

    def __init__(self) -> None:
        self._riders: dict[int, Candidate] = {}
        self._cells: dict[tuple[int, int], dict[int, Candidate]] = {}

    def __len__(self) -> int:
        return len(self._riders)

    def add(self, candidate: Candidate) -> None:
        """A rider is free."""
        self._riders[candidate.rider_id] = candidate
        self._cells.setdefault(_cell(candidate), {})[candidate.rider_id] = candidate

    def remove(self, rider_id: int) -> None:
        """A rider is free no longer."""
        candidate = self._riders.pop(rider_id)
        del self._cells[_cell(candidate)][rider_id]

    def all(self) -> list[Candidate]:
        """Every free rider."""
        return list(self._riders.values())

    def within(self, lat: float, lng: float, metres: float) -> list[Candidate]:
        """At least every free rider within `metres` of a place (degrees), and few others."""
        high = metres / METRES_PER_DEGREE
        wide = high / max(cos(radians(abs(lat) + high)), 0.01)
        south, north = int((lat - high) // CELL_DEG), int((lat + high) // CELL_DEG)
        west, east = int((lng - wide) // CELL_DEG), int((lng + wide) // CELL_DEG)
        if len(self._riders) <= FEW + (north - south + 1) * (east - west + 1):
            return list(self._riders.values())
        cells = self._cells
        found: list[Candidate] = []
        for row in range(south, north + 1):
            for column in range(west, east + 1):
                cell = cells.get((row, column))
                if cell:
                    found += cell.values()
        return found

    def nearest(self, lat: float, lng: float, metres: float) -> list[Candidate]:
        """Of `within`, those who may be the nearest: on a plane, at most 1 m and half a percent farther than the first.

        All who stand in the same place are among them, so a rule that breaks ties by anything sees every tie.
        """
        found = self.within(lat, lng, metres)
        if len(found) < 4:
            return found
        narrow = cos(radians(lat)) ** 2
        squares = [(who.lat - lat) ** 2 + narrow * (who.lng - lng) ** 2 for who in found]
        most = (1.005 * sqrt(min(squares)) + 1.0 / METRES_PER_DEGREE) ** 2
        return [who for who, square in zip(found, squares, strict=True) if square <= most]


def _cell(candidate: Candidate) -> tuple[int, int]:
    return int(candidate.lat // CELL_DEG), int(candidate.lng // CELL_DEG)
