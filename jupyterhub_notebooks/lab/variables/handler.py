"""``…/notebooks/variables``: what was kept before a stop, and the way back into a kernel. Bodies: contract/local.py."""

from __future__ import annotations

import json

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ...contract import BringBack, VariablesOffers
from ...errors import NotebooksError, Unchecked
from .keeping import Keeping

MOST_BODY_BYTES = 1_000_000


class VariablesHandler(APIHandler):
    """GET, POST (BringBack) and DELETE ``?id=``."""

    _track_activity = False
    auth_resource = "kernels"

    def initialize(self, keeping: Keeping) -> None:
        self._keeping = keeping

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps(VariablesOffers(self._keeping.offers.all()).to_json()))

    @web.authenticated
    async def post(self) -> None:
        try:
            self.finish(json.dumps((await self._keeping.bring(self._read())).to_json()))
        except NotebooksError as error:
            self.set_status(error.http_status)
            self.finish(json.dumps(error.as_json()))

    @web.authenticated
    def delete(self) -> None:
        self._keeping.offers.remove(self.get_argument("id", ""))
        self.set_status(204)
        self.finish()

    def _read(self) -> BringBack:
        if len(self.request.body) > MOST_BODY_BYTES:
            raise Unchecked("This is too long", field="variables")
        try:
            return BringBack.from_json(json.loads(self.request.body))
        except (ValueError, RecursionError):
            raise Unchecked("This must be JSON", field="variables") from None
