#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_split
short_description: Measure how the gateway splits requests between two versions
version_added: 0.1.0
description:
  - Sends GET requests without cookies to the address of a release, and compares the share that the
    canary answered with the wanted weight by an exact (Clopper-Pearson) interval.
  - The wanted weight is the live one, read from the VirtualService bound to the gateway; without a
    live one it is the file's.
  - Versions are told apart by response headers, or, where the release has none or its two versions
    share an image, by the counters of the proxies.
  - A promise that fails does not fail this module; it is returned, so that all can be shown.
options:
  url:
    description: Address of the application, as a user reaches it, without the path.
    type: str
    required: true
  host:
    description:
      - Host header to send instead of the one in O(url).
      - Without it, the first of the release's C(hosts), if these are not C(*).
    type: str
  fingerprint:
    description:
      - SHA-256 of the certificate that an https address has to show, in hexadecimal.
      - Every connection of the check compares it. Names of promises then begin with C(https).
    type: str
  release:
    description:
      - The release as its file describes it.
      - Used are namespace, stable, canary, versions, services, and verify, whose keys path,
        app_header and model_header say what to ask for and where the versions stand.
    type: dict
    required: true
  mode:
    description:
      - V(full) promises the split, that O(requests) were sent, that none failed, that none
        mixed versions, and that no other version answered.
      - V(short) sends what fits into O(time_limit) and promises the split alone; what else was
        found is returned as notes.
    type: str
    choices: [full, short]
    default: full
  requests:
    description: How many requests to send.
    type: int
    default: 5000
  time_limit:
    description:
      - Seconds after which no further request is sent.
      - In V(short) mode counted from the start of the module, which itself takes some seconds on a
        busy machine; one second of requests is the least.
    type: float
    default: 300
  timeout:
    description: Seconds after which one request counts as failed.
    type: float
    default: 10
  concurrency:
    description: How many requests run at the same time.
    type: int
    default: 16
  rate:
    description:
      - Requests per second, evenly spaced, their latency counted from when they were due.
      - Without it each of O(concurrency) sends its next request when it has the answer to the last.
    type: float
  confidence:
    description: Confidence of the interval. One run in 1/(1 - confidence) fails by chance.
    type: float
    default: 0.999
notes:
  - Runs on the controller and needs aiohttp, scipy and kubernetes there.
  - Sends nothing in check mode, and is then reported as skipped.
extends_documentation_fragment: [roost.cluster.kubernetes, roost.cluster.kubernetes.gateway]
attributes:
  check_mode:
    description: Sends nothing in check mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
author: the Roost developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Measure the split
  roost.cluster.verify_split:
    url: http://127.0.0.1:8080
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
  delegate_to: localhost
  register: split
"""

RETURN = r"""
promises:
  description: What was promised, each with name, ok, expected, found, advice and applies.
  returned: always
  type: list
  elements: dict
failures:
  description: One line for each promise that failed.
  returned: always
  type: list
  elements: str
notes:
  description: In short mode, what else would have failed in full mode.
  returned: always
  type: list
  elements: str
lines:
  description: The measurement as text, one thing a line.
  returned: always
  type: list
  elements: str
wanted:
  description: Stable and canary version, weight in percent, and where the weight comes from.
  returned: always
  type: dict
measured:
  description:
    - hits of trials, their share and interval; pairs, mixed; the sources of split and pairs.
  returned: always
  type: dict
traffic:
  description: Requests, seconds, versions, pairs, failures by kind, and latency quantiles in ms.
  returned: always
  type: dict
"""

import time
from typing import Any

STARTED = time.monotonic()

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    GATEWAY,
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.verify import measure
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    failures,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import (
    BadRelease,
    target,
)

ARGUMENTS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "host": {"type": "str"},
    "fingerprint": {"type": "str"},
    "release": {"type": "dict", "required": True},
    **KUBECONFIG,
    "mode": {"type": "str", "choices": ["full", "short"], "default": "full"},
    "requests": {"type": "int", "default": 5000},
    "time_limit": {"type": "float", "default": 300},
    "timeout": {"type": "float", "default": 10},
    "concurrency": {"type": "int", "default": 16},
    "rate": {"type": "float"},
    "confidence": {"type": "float", "default": 0.999},
    **GATEWAY,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="check mode: no requests are sent")
    try:
        # Imported before the time for requests begins: it takes a second.
        import aiohttp  # noqa: F401  used by what measures
        import scipy.special  # noqa: F401  used by what measures

        wanted = target(module.params["release"])
        result = measure.measure(wanted, measure.Settings.of(module.params, STARTED))
    except ImportError as error:
        module.fail_json(
            msg=f"{error}: verify_split runs on the controller and needs aiohttp, scipy and "
            "kubernetes; run it with the Python of the project's .venv"
        )
    except (BadRelease, ValueError, ApiError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, failures=failures(result["promises"]), **result)


if __name__ == "__main__":
    main()
