# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import images, names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Mirror,
    Release,
    Service,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import (
    MISSING,
    Checker,
    Problem,
    join,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.spec_options import OPTIONS
from ansible_collections.roost.cluster.plugins.module_utils.release.spec_parts import service_of

RELEASE_KEYS = (
    "name",
    "namespace",
    "stable",
    "canary",
    "versions",
    "services",
    *OPTIONS,
)
_REQUIRED = ("name", "namespace", "stable", "versions", "services")
_RESERVED_NAMESPACES = ("default", "istio-system")


def check(block: object) -> list[Problem]:
    """Everything that is wrong with a release block, at once; empty if it can be applied."""
    return read(block)[1]


def read(block: object) -> tuple[Release | None, list[Problem]]:
    """The release that a block describes, or None and what is wrong with it."""
    checker = Checker()
    if not isinstance(block, Mapping) or not block:
        checker.add("", block, "the release as a mapping with the keys " + ", ".join(_REQUIRED))
        return None, checker.problems
    top = checker.mapping("", block, "the release as a mapping")
    checker.keys("", top, RELEASE_KEYS, _REQUIRED)
    name = checker.label("name", top["name"]) if "name" in top else None
    namespace = _namespace(checker, top)
    services = _services(checker, top, name)
    versions = _versions(checker, top, list(top.get("services") or ()))
    stable = checker.label("stable", top["stable"]) if "stable" in top else None
    canary = _canary(checker, top.get("canary")) if "canary" in top else None
    options = {key: option(checker, top[key]) for key, option in OPTIONS.items() if key in top}
    _pair(checker, stable, canary, top.get("versions"))
    _shadow(checker, options.get("mirror"), stable, canary, top.get("versions"))
    _names(checker, services, versions, name)
    if checker.problems or name is None or namespace is None or stable is None:
        return None, checker.problems
    return Release(name, namespace, stable, canary, versions, services, **options), []


def _namespace(checker: Checker, top: Mapping[str, Any]) -> str | None:
    if "namespace" not in top:
        return None
    namespace = checker.label("namespace", top["namespace"])
    if namespace and (namespace in _RESERVED_NAMESPACES or namespace.startswith("kube-")):
        checker.add(
            "namespace",
            namespace,
            "a namespace of the release's own",
            "the release sets labels and rules for the whole namespace",
        )
    return namespace


def _services(checker: Checker, top: Mapping[str, Any], name: str | None) -> dict[str, Service]:
    if "services" not in top:
        return {}
    block = checker.mapping("services", top["services"], "a mapping from service to its settings")
    services = {}
    for key, settings in block.items():
        service = service_of(checker, join("services", key), key, settings)
        if service:
            services[key] = service
    entries = [key for key, item in block.items() if _says_entry(item)]
    if len(entries) != 1:
        checker.add(
            "services",
            entries,
            "exactly one service with `entry: true`",
            "it is the one that users reach through the gateway",
        )
    return services


def _says_entry(settings: object) -> bool:
    return isinstance(settings, Mapping) and settings.get("entry") is True


def _versions(
    checker: Checker, top: Mapping[str, Any], services: list[str]
) -> dict[str, dict[str, str]]:
    if "versions" not in top:
        return {}
    block = checker.mapping("versions", top["versions"], "a mapping from version to its images")
    versions = {}
    for version, pair in block.items():
        path = join("versions", version)
        if checker.label(path, version) and not names.is_drawn(version):
            endings = " or ".join(names.RESERVED_ENDINGS)
            checker.add(path, version, f"a name that doesn't end in {endings}")
        found = checker.mapping(path, pair, "a mapping with an image for each service")
        if isinstance(pair, Mapping):
            checker.keys(path, found, services)
            for service in services:
                if service not in found:
                    checker.add(join(path, service), MISSING, f"an image for the service {service}")
        for service, reference in found.items():
            if images.parse(reference) is None:
                checker.add(join(path, service), reference, images.EXPECTED)
        versions[version] = found
    return versions


def _canary(checker: Checker, value: object) -> Canary | None:
    block = checker.mapping(
        "canary", value, "a mapping {version, weight}; leave the key out for no canary"
    )
    if not isinstance(value, Mapping):
        return None
    checker.keys("canary", block, ("version", "weight"), ("version", "weight"))
    version = checker.label("canary.version", block["version"]) if "version" in block else None
    weight = (
        checker.integer("canary.weight", block["weight"], 0, 100) if "weight" in block else None
    )
    return None if version is None or weight is None else Canary(version, weight)


def _pair(checker: Checker, stable: str | None, canary: Canary | None, versions: object) -> None:
    """Stable and canary are two listed versions that differ in at least one image."""
    if not isinstance(versions, Mapping):
        return
    roles = {"stable": stable, "canary.version": canary.version if canary else None}
    for key, version in roles.items():
        if version is not None and version not in versions:
            checker.add(key, version, f"one of the versions {', '.join(map(str, versions))}")
    if stable is None or canary is None:
        return
    if canary.version == stable:
        checker.add("canary.version", stable, "another version than stable")
    elif same_images(versions.get(stable), versions.get(canary.version)):
        checker.problems.append(same_images_problem(stable, canary.version))


def _shadow(
    checker: Checker,
    mirror: Mirror | None,
    stable: str | None,
    canary: Canary | None,
    versions: object,
) -> None:
    """Copies go to a listed version that no user is sent to."""
    if mirror is None or not isinstance(versions, Mapping):
        return
    if mirror.version not in versions:
        known = ", ".join(map(str, versions))
        checker.add("mirror.version", mirror.version, f"one of the versions {known}")
    elif mirror.version in (stable, canary.version if canary else None):
        checker.add(
            "mirror.version",
            mirror.version,
            "another version than stable and canary",
            "what copies do to a version that users have can't be told from what users do",
        )


def same_images(one: object, other: object) -> bool:
    """True if no service would differ, so that there is nothing to compare."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping) or not one:
        return False
    return one.keys() == other.keys() and all(
        images.identity(str(one[key])) == images.identity(str(other[key])) for key in one
    )


def same_images_problem(stable: str, canary: str) -> Problem:
    return Problem(
        f"versions.{canary}",
        f"the images of {stable}",
        f"at least one image that differs from {stable}'s",
        "a canary of the same digests can show nothing",
    )


def _names(
    checker: Checker,
    services: Mapping[str, Service],
    versions: Mapping[str, Any],
    release: str | None,
) -> None:
    """Names that are put together from the given ones still fit, and nothing is named twice."""
    for version in versions:
        joined = [names.workload_name(service, version) for service in services]
        joined += [version + ending for ending in names.RESERVED_ENDINGS]
        longest = max(joined, key=len)
        if len(longest) > 63:
            checker.add(
                f"versions.{version}", version, f"at most 63 characters in {longest!r} together"
            )
    if release and names.entry_route_name(release) in services:
        taken = names.entry_route_name(release)
        checker.add(f"services.{taken}", taken, "another name", "the gateway's route is called so")


__all__ = ["MISSING", "check", "read", "same_images", "same_images_problem"]
