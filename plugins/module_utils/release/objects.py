# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    envoy_filters,
    routing,
    workloads,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

# An address that is notified may be a secret, and whoever may read routes reads the record.
NOT_RECORDED = ("notify",)


def derive(release: Release, context: Context, record: Block | None = None) -> list[Block]:
    """Every object of a release whose images are resolved to digests, in its final state.

    `record` is the block to write down as last applied from the file. The order in which the
    objects may be applied on a running cluster is the plan's business.
    """
    versions = release.deployed
    objects = [workloads.namespace(release), routing.peer_authentication(release)]
    for service in release.services.values():
        objects += [
            workloads.service_account(release, service),
            workloads.kube_service(release, service),
            routing.destination_rule(
                release, service.name, subsets(release, service.name), context
            ),
            routing.service_route(release, service.name, versions, release.stable, context),
        ]
    objects += [
        routing.gateway(release, context),
        routing.entry_route(release, context, dumps(record)),
    ]
    if release.rate_limit:
        objects.append(envoy_filters.rate_limit(release, release.rate_limit, context))
    for service in release.services.values():
        for version in versions:
            objects += [
                workloads.disruption_budget(release, service, version),
                workloads.deployment(release, service, version),
            ]
    return objects


def subsets(release: Release, service: str) -> list[str]:
    """Every name under which proxies know a version of a service."""
    return [name for version in release.deployed for name in release.subsets(service, version)]


def dumps(record: Block | None) -> str | None:
    """One line, and the same line for the same block."""
    if record is None:
        return None
    shown = {key: value for key, value in record.items() if key not in NOT_RECORDED}
    return json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
