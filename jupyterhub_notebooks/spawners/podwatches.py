"""The Hub's watches over pods and events: one of each for all spawners of a namespace, as KubeSpawner keeps them.

Promises: a watch that could not begin, or gave up, is never taken for a cluster without pods; it begins again, and with it
what looks after pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import ClientError
from kubernetes_asyncio.client.exceptions import ApiException
from kubespawner import KubeSpawner

from . import podrefused, pods
from .podkeeper import PodKeeper
from .podwatch import gave_up

#: What asking a cluster ends with that does not answer, or refuses.
AWAY = (ApiException, ClientError, OSError, TimeoutError)


class Watching(KubeSpawner):
    """What a spawner knows of its cluster without asking it. ``_delete`` is its own."""

    #: By the watch that each reads.
    _keepers: ClassVar[dict[Any, PodKeeper]] = {}
    _last_seen: pods.Known | None = None

    async def _delete(self, pod: pods.Known | None, grace_seconds: int | None) -> None:
        raise NotImplementedError

    def _seen_of(self, session: str) -> pods.Known | None:
        seen = self._last_seen
        return seen if seen is not None and pods.session_of(seen) == session else None

    async def _pod(self, session: str) -> pods.Known | None:
        """The pod of a session as the Hub's watch has it; None where there is none."""
        if not session:
            return None
        await self._start_watching_pods()
        self._keep_pods()
        there: Mapping[str, Any] = self.pod_reflector.pods
        found = there.get(f"{self.namespace}/{self.pod_name}")
        if found is None or pods.session_of(found) != session:
            found = next((pod for pod in list(there.values()) if pods.session_of(pod) == session), None)
        if found is not None:
            self._last_seen = found
        return found

    def _keep_pods(self) -> None:
        key = self._get_reflector_key("pods")
        if key not in self._keepers:
            self._keepers[key] = PodKeeper(self, lambda pod: self._delete(pod, None), self._watch_again)
        self._keepers[key].begin()

    async def _watch_again(self) -> None:
        """Watches that gave up, after half a minute without the cluster, begin anew."""
        if gave_up(self.pod_reflector):
            await self._start_watching_pods(replace=True)
        if self.event_reflector is not None and gave_up(self.event_reflector):
            await self._start_watching_events(replace=True)

    async def pods_there(self) -> Mapping[str, Any] | None:
        """The pods that the Hub's watch knows; None while it has no list of them."""
        try:
            await self._start_watching_pods()
        except AWAY as error:
            self.log.warning("The cluster does not answer: %s", error)
            return None
        there: Mapping[str, Any] = self.pod_reflector.pods
        return there

    async def _start_reflector(self, kind: str, *args: Any, **more: Any) -> Any:
        """As KubeSpawner's; a watch that could not begin is forgotten. Kept, it would say that there are no pods, or,
        where its beginning was cancelled beside one that could not begin, keep every later start waiting for it."""
        try:
            return await super()._start_reflector(kind, *args, **more)
        except BaseException as error:
            key = self._get_reflector_key(kind)
            failed = self.reflectors.get(key)
            if failed is not None and failed.watch_task is None:
                del self.reflectors[key]
                if not failed.first_load_future.done():
                    failed.first_load_future.set_exception(OSError(f"The watch over {kind} did not begin"))
                    failed.first_load_future.exception()  # whoever waits has it; where nobody does, it is no news
            if isinstance(error, ApiException) and error.status == 403 and not error.body:
                # the watch keeps the answer to itself; the library says bytes, and gives text
                error.body = podrefused.may_not("list", kind)  # type: ignore[assignment]
            raise
