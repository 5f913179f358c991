# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults for drills: on the inbound side of the canary, so that they look like its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release

ABORT, DELAY = "abort", "delay"
_NAMED_PERCENT = {"denominator": "HUNDRED"}


def abort(release: Release, version: str, percent: int, status: int = 503) -> Block:
    """So many of 100 requests are answered with this status."""
    return _fault(
        release,
        version,
        {"abort": {"http_status": status, "percentage": {"numerator": percent, **_NAMED_PERCENT}}},
    )


def delay(release: Release, version: str, percent: int, milliseconds: int) -> Block:
    """So many of 100 requests take this much longer."""
    return _fault(
        release,
        version,
        {
            "delay": {
                "fixed_delay": f"{milliseconds / 1000:g}s",
                "percentage": {"numerator": percent, **_NAMED_PERCENT},
            }
        },
    )


def _fault(release: Release, version: str, what: dict[str, Any]) -> Block:
    """A filter before the router of the entry service's sidecars.

    A `fault` of the VirtualService would act before the version is drawn and never show in the
    counters of a version.
    """
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {
            "name": f"{names.rollout_name(release.name)}-drill",
            "namespace": release.namespace,
            "labels": names.common_labels(release.name),
        },
        "spec": {
            "workloadSelector": {"labels": {"app": release.entry.name, "version": version}},
            "configPatches": [
                {
                    "applyTo": "HTTP_FILTER",
                    "match": {
                        "context": "SIDECAR_INBOUND",
                        "listener": {
                            "filterChain": {
                                "filter": {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "subFilter": {"name": "envoy.filters.http.router"},
                                }
                            }
                        },
                    },
                    "patch": {
                        "operation": "INSERT_BEFORE",
                        "value": {
                            "name": "envoy.filters.http.fault",
                            "typed_config": {
                                "@type": "type.googleapis.com/"
                                "envoy.extensions.filters.http.fault.v3.HTTPFault",
                                **what,
                            },
                        },
                    },
                }
            ],
        },
    }
