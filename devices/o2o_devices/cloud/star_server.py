"""What a Star printer on MQTT still does over HTTP: asks where its broker is, posts when told to, fetches jobs (A14).

Source: Star CloudPRNT Protocol Guide 2.4.0, "Server setting information request (GET)". Decides how often it asks: an
error of the server's or no answer is tried three times, 5 s apart (as the emulator LinusU/cloudprnt-emulator does it).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from o2o_devices.cloud import star_words as words
from o2o_devices.cloud.auth import Auth
from o2o_devices.cloud.http import HttpClient
from o2o_devices.errors import DecodeError, HttpError

TRIES, PAUSE_S = 3, 5.0


class StarServer:
    """The server behind a CloudPRNT URL, for the printer of this MAC. `rate`: what the link carries (`HttpClient`)."""

    __slots__ = ("_auth", "_mac", "_rate", "url")

    def __init__(self, url: str, mac: str, auth: Auth | None, rate: Callable[[], float | None]) -> None:
        self.url = url
        self._mac = words.colons(mac)
        self._auth = auth
        self._rate = rate

    def _client(self, url: str) -> HttpClient:
        return HttpClient(url, auth=self._auth, keep_alive=False, bytes_s=self._rate)

    async def setting(self) -> words.ServerSetting | None:
        """What the server says of itself; None: nothing that is of use, this time."""
        last = urlsplit(self.url).path.rpartition("/")[2]
        where = f"cloudprnt-setting.json?mac={quote(self._mac, safe='')}&replaced_path={quote(last, safe='')}"
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            with contextlib.suppress(HttpError, DecodeError):
                status, _, body = await self._client(self.url).request("GET", where)
                if status == 404:
                    return words.ServerSetting(None)
                if status < 500:
                    return words.read_setting(body) if status == 200 else None
        return None

    async def post(self, code: str, *, printing: bool) -> None:
        """One poll, for its status. A job that the server has ready is not fetched: jobs are pushed."""
        body = words.said("", self._mac.replace(":", ""), statusCode=words.encoded(code), printingInProgress=printing)
        with contextlib.suppress(HttpError):
            await self._client(self.url).request("POST", self.url, {"content-type": "application/json"}, body)

    async def fetch(self, job: words.Job) -> bytes:
        """A job's data from where the server said (Pass URL). Raises DecodeError with the status code to tell."""
        mac, kind, token = (quote(part, safe="") for part in (self._mac, job.media_type, job.token))
        try:
            answer = await self._client(job.url).request("GET", f"{job.url}?mac={mac}&type={kind}&token={token}")
        except HttpError as error:
            raise DecodeError(words.NOT_FETCHED, str(error)) from None
        if answer.status != 200:
            raise DecodeError(words.NOT_FETCHED, f"status {answer.status}")
        return answer.body
