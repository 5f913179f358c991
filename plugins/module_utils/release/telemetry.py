# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from functools import cache

# The annotation of a pod by which its proxy gets the edges.
HISTOGRAM_BUCKETS = "sidecar.istio.io/statsHistogramBuckets"

# Envoy's histograms keep two significant digits. Edges with no more than two are counted exactly.
_RATIO = 1.15
_LOWEST_MS, _HIGHEST_MS = 1.0, 10_000.0


def histogram_edges() -> list[float]:
    """Edges in milliseconds from 1 ms to 10 s, none more than 15% above the one before it.

    Envoy's own edges (…, 25, 50, 100, 250 ms) can't show a service that became 20% slower.
    """
    edges = [_LOWEST_MS]
    while edges[-1] < _HIGHEST_MS:
        edges.append(min(_two_digits_below(edges[-1] * _RATIO), _HIGHEST_MS))
    return edges


def _two_digits_below(value: float) -> float:
    step = 10.0 ** (len(str(int(value))) - 2)
    return round(int(value / step + 1e-9) * step, 1)


@cache
def histogram_annotation() -> str:
    """The value of `sidecar.istio.io/statsHistogramBuckets`: the start of a statistic's name with
    the edges for it. Only the clusters that a proxy calls are of interest; the gateway's pods need
    the same annotation."""
    edges = [int(edge) if edge.is_integer() else edge for edge in histogram_edges()]
    return json.dumps({"cluster.outbound": edges}, separators=(",", ":"))
