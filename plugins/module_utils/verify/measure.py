# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    Client,
    KubernetesClient,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import selector_of
from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, run
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import summarize
from ansible_collections.roost.cluster.plugins.module_utils.verify import counters
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import SERVICE_LABEL
from ansible_collections.roost.cluster.plugins.module_utils.verify.split import Bar, judge
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import (
    Target,
    with_live,
)

LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Settings:
    """The options of the module verify_split, typed."""

    url: str
    host: str | None
    fingerprint: str | None
    kubeconfig: str
    full: bool
    requests: int
    time_limit: float
    timeout: float
    concurrency: int
    rate: float | None
    confidence: float
    gateway_namespace: str
    gateway_selector: Mapping[str, str]
    started: float
    """When the module began, on the monotonic clock."""

    @staticmethod
    def of(params: Mapping[str, Any], started: float) -> Settings:
        own = {"full", "started"}
        values = {key: params[key] for key in Settings.__annotations__ if key not in own}
        return Settings(full=params["mode"] == "full", started=started, **values)

    def seconds_left(self) -> float:
        """The time for requests. In short mode the whole has a limit, and on a busy machine the
        imports alone take seconds of it."""
        if self.full:
            return self.time_limit
        return max(LEAST_SECONDS, self.time_limit - (time.monotonic() - self.started))

    def plan(self, wanted: Target) -> Plan:
        host = self.host or wanted.host
        found = Plan(
            url=self.url.rstrip("/") + wanted.path,
            requests=self.requests,
            time_limit=self.seconds_left(),
            concurrency=self.concurrency,
            rate=self.rate,
            timeout=self.timeout,
            headers={"Host": host} if host else {},
            server_name=host,
            fingerprint=self.fingerprint,
            app_header=wanted.app_header,
            model_header=wanted.model_header,
        )
        found.check()
        return found


def measure(file: Target, settings: Settings, client: Client | None = None) -> dict[str, Any]:
    """Send the requests, read counters before and after if they are needed, and judge."""
    notes: list[str] = []
    wanted = file
    try:
        client = client or KubernetesClient(settings.kubeconfig)
        wanted = with_live(file, client.list("VirtualService", file.namespace))
    except ApiError as error:
        # The split can be measured without the API; that the weight is only the file's is said.
        notes.append(f"note: the live weight could not be read: {error}")
    needs_counters = wanted.app_header is None or wanted.model_header is None
    if needs_counters and client is None:
        raise ApiError(f"the proxies' counters are needed to tell versions apart; {notes[-1]}")
    before = _read(client, wanted, settings) if needs_counters and client else None
    plan = settings.plan(wanted)
    samples, seconds = run(plan)
    counted = None
    if before and client:
        after = _read(client, wanted, settings)
        gateways, apps = (
            counters.difference(earlier, later) for earlier, later in zip(before, after)
        )
        counted = counters.evidence(gateways, apps, wanted)
    summary = summarize(samples, plan, seconds)
    demanded = Bar(settings.confidence, settings.requests, settings.full)
    verdict = judge(wanted, summary, counted, demanded)
    verdict = replace(verdict, notes=notes + verdict.notes)
    # The same may be measured over both; then the reader has to see which is which.
    over = "https " if settings.fingerprint else ""
    return {
        "promises": [{**item, "name": f"{over}{item['name']}"} for item in verdict.promises],
        "notes": verdict.notes,
        "lines": [f"{over}{line}" for line in verdict.lines + verdict.notes],
        "wanted": {
            "stable": wanted.stable,
            "canary": wanted.canary,
            "weight": wanted.weight,
            "source": wanted.source,
        },
        "measured": verdict.as_dict(),
        "traffic": summary.as_dict(),
    }


def _read(
    client: Client, wanted: Target, settings: Settings
) -> tuple[counters.Reading, counters.Reading]:
    """The gateways' and the apps' counters, at the same time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        gateways = pool.submit(
            counters.read,
            client,
            settings.gateway_namespace,
            selector_of(settings.gateway_selector),
        )
        apps = pool.submit(
            counters.read, client, wanted.namespace, f"{SERVICE_LABEL}={wanted.entry.name}"
        )
        return gateways.result(), apps.result()
