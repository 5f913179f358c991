# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    expect,
    gateway_certificate,
    lease,
    live,
    objects,
    progress,
    resolving,
    spec,
    stages,
    survey,
    three_way,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.plan import (
    Step,
    candidates,
    fingerprint,
    rendered,
    settle,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Problem

# What is planned where the cluster can't be asked.
UNKNOWN: dict[str, Any] = {"notes": [], "changes": [], "stages": [], "steady": {}}


class Rejected(Exception):
    """The release can't be applied as it is described."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"The release is refused, nothing was applied:{lines}")


@dataclass(frozen=True)
class Plan:
    release: Release
    steps: list[Step]
    notes: list[str]
    steady: expect.Wait

    @property
    def changes(self) -> list[Change]:
        return [change for step in self.steps for change in step.changes]

    def rendered(self) -> dict[str, Any]:
        return {
            "release": self.release.as_block(),
            "notes": self.notes,
            "changes": [change.as_dict() for change in self.changes],
            "stages": [rendered(step) for step in self.steps],
            "steady": self.steady,
        }

    def diff(self) -> list[dict[str, str]]:
        """One entry for each change, as Ansible prints them."""
        return [change.diff() for change in self.changes]


def accept(block: Any, digests: Mapping[str, str] | None) -> Block:
    """The block with its images resolved, if nothing is wrong with it."""
    problems = spec.check(block)
    if problems:
        raise Rejected(problems)
    resolved, problems = resolving.resolve(block, digests)
    if problems:
        raise Rejected(problems)
    return resolved


def plan(file: Block, client: Client, context: Context) -> Plan:
    """From an accepted block and the cluster to the steps between them. Changes nothing."""
    name, namespace = file["name"], file["namespace"]
    found = survey.inventory(client, name, namespace, context.gateway_namespace)
    record = live.record_of(live.entry_route(found, name, namespace))
    problems = _steered(client, file, record)
    if problems:
        raise Rejected(problems)
    merged = three_way.merge(file, record, live.live_of(found, name, namespace))
    if merged.problems:
        raise Rejected(merged.problems)
    release, problems = spec.read(merged.block)
    if release is None:
        raise Rejected([_after_merge(problem) for problem in problems])
    release = progress.begun(
        replace(
            release,
            workers=survey.workers(client),
            scaled=merged.scaled,
            progress=merged.course.progress,
            ended=merged.course.ended,
        )
    )
    wanted = objects.derive(release, context)
    certificate = gateway_certificate.look(client, release, context, datetime.now(timezone.utc))
    problems = survey.neighbours(client, release) + survey.foreign(client, wanted, found)
    problems += certificate.problems
    if problems:
        raise Rejected(problems)
    release = replace(release, certificate=certificate.serial)
    notes = [*merged.notes, *certificate.notes]
    planned = towards(release, found, file, client, context, notes)
    if certificate.order is None:
        return planned
    return _with_certificate(planned, certificate.order)


def _with_certificate(planned: Plan, order: gateway_certificate.Order) -> Plan:
    """The certificate comes first, so that it is there when the gateway is told to show it."""
    first = stages.Stage(
        "certificate",
        f"the gateway gets its certificate: {order.reason}",
        [],
        wait={} if planned.steps else planned.steady,
    )
    step = Step(first, [order.change], order.as_dict())
    return replace(planned, steps=[step, *planned.steps])


def towards(
    release: Release,
    found: live.Inventory,
    record: Block | None,
    client: Client,
    context: Context,
    notes: Sequence[str] = (),
) -> Plan:
    """From what is live to a release, with `record` as the block last applied from the file."""
    built = stages.build(release, found, context, record)
    verdicts = survey.compare(client, found, candidates(built))
    steady = expect.steady(release, context)
    steps = settle(built, lambda item: verdicts[fingerprint(item)], steady)
    return Plan(release, steps, list(notes), steady)


def _steered(client: Client, file: Block, record: Block | None) -> list[Problem]:
    """What was edited in the file, while somebody steers a rollout."""
    if record is None:
        return []
    edited = _edited(file, record)
    if not edited:
        return []
    found = client.get(lease.lease(file["name"], file["namespace"]))
    holder = lease.alive(found, datetime.now(timezone.utc))
    if holder is None:
        return []
    return [
        Problem(
            key,
            file.get(key),
            "the value that was applied last",
            f"a rollout is steered by {holder}; let it end, or decide it by playbooks/promote.yml "
            "or playbooks/rollback.yml, and apply the edited file then",
        )
        for key in edited
    ]


def _edited(file: Block, record: Block) -> list[str]:
    """Keys with another value than when the file was last applied."""
    kept = {key: value for key, value in file.items() if key not in objects.NOT_RECORDED}
    return sorted(key for key in kept.keys() | record.keys() if kept.get(key) != record.get(key))


def _after_merge(problem: Problem) -> Problem:
    """The file alone is right; together with what was changed on the cluster it is not."""
    hint = "after keeping what was changed on the cluster; write the live state into the file"
    return replace(problem, hint=f"{problem.hint}; {hint}" if problem.hint else hint)
