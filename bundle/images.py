# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images: built by Docker from a context of finished things, kept in the store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bundle.cache import Cache, Lock
from bundle.components import LEVEL, Component, Source, architecture, files_below
from bundle.download import STALL_SECONDS, Report
from bundle.errors import BundleError
from bundle.names import repository_of
from bundle.run import Watched, need, output, run

# Two images that are built at the same time may have one base.
_IMPORTING = threading.Lock()
# Seconds without a byte after which a registry is given up: where one limits how often one may
# pull, skopeo waits for up to a minute by itself.
PATIENCE = 3 * STALL_SECONDS
# How skopeo calls Docker Engine. Here it is asked by its own client: Debian's skopeo speaks a
# version of its API that engines from 25 on don't take any more.
DOCKER = "docker-daemon"


def docker(*arguments: str) -> str:
    return output([need("docker"), *arguments]).strip()


def docker_has(reference: str) -> bool:
    command = [need("docker"), "image", "inspect", reference]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build_name(cache: Cache) -> str:
    """What the images of this cache's builds are called, and labelled with, as long as they are in
    Docker: another cache may be filled at the same time, and has the same Docker."""
    return f"roost-build-{hashlib.sha256(str(cache.root.resolve()).encode()).hexdigest()[:12]}"


def import_base(cache: Cache, source: Source, layer: str, log: Path) -> str:
    """Have a root file system in Docker as an image to build on; return its name."""
    layers = list(source.spec["layers"])
    if layer not in layers:
        raise BundleError(f"components.yml: {source.name} has no layer {layer!r}")
    reference = ""
    with _IMPORTING:
        for name in layers[: layers.index(layer) + 1]:
            below = reference
            reference = f"{build_name(cache)}/{source.name}-{name}:{source.key[:16]}"
            if not docker_has(reference):
                tar = cache.source_folder(source.name, source.key) / f"{name}.tar"
                _import_layer(cache, tar, below, reference, log)
    return reference


def _import_layer(cache: Cache, tar: Path, below: str, reference: str, log: Path) -> None:
    if below:
        with tempfile.TemporaryDirectory(dir=cache.work) as context:
            _place(tar, Path(context) / tar.name)
            (Path(context) / "Dockerfile").write_text(f"FROM {below}\nADD {tar.name} /\n")
            _docker_build(["--tag", reference, context], log)
        return
    # An import has no settings of its own, and without PATH no command is found. What is
    # built on it inherits the label, by which the rest is found and removed afterwards.
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    label = f"LABEL roost.build={build_name(cache)}"
    command = [need("docker"), "import", "--change", path, "--change", label]
    run([*command, str(tar), reference], log=log)


def _docker_build(arguments: list[str], log: Path) -> None:
    command = [need("docker"), "build", "--force-rm", "--network", "none", "--quiet"]
    # The classic builder is what every Docker Engine has.
    run([*command, *arguments], log=log, env={"DOCKER_BUILDKIT": "0"})


@contextlib.contextmanager
def build_context(cache: Cache, component: Component) -> Iterator[Path]:
    """A folder with exactly what the Dockerfile may copy, by hard links where possible."""
    with tempfile.TemporaryDirectory(dir=cache.work) as name:
        context = Path(name)
        for path in files_below(component.tree):
            _place(path, context / path.relative_to(component.tree))
        for target, member in component.spec.get("context", {}).items():
            source, rest = component.inside(member)
            found = cache.source_folder(source.name, source.key) / rest
            if found.is_dir():
                for path in found.iterdir():
                    _place(path, context / target / path.name)
            else:
                _place(found, context / target)
        yield context


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def build_image(cache: Cache, component: Component, context: Path, log: Path) -> tuple[str, int]:
    """Build one image and move it into the store; return its digest and size in bytes."""
    reference = f"{build_name(cache)}/{component.id}:{component.key[:16]}"
    arguments = ["--file", str(component.dockerfile), "--tag", reference]
    if "base" in component.spec:
        source, layer = component.inside(component.spec["base"])
        arguments += ["--build-arg", f"BASE={import_base(cache, source, layer, log)}"]
    for name, value in component.spec.get("args", {}).items():
        arguments += ["--build-arg", f"{name}={value}"]
    _docker_build([*arguments, str(context)], log)
    try:
        return take_image(cache, f"{DOCKER}:{reference}", component.name, log)
    finally:
        run([need("docker"), "image", "rm", reference], log=log)


def take_image(cache: Cache, origin: str, name: str, log: Path) -> tuple[str, int]:
    """Copy an image from Docker or an archive into the store, its layers as zstd.

    zstd is unpacked several times faster than gzip, which is what a starting node waits for, at any
    level; so the best one is taken.
    """
    repository, tag = repository_of(name)
    with tempfile.TemporaryDirectory(dir=cache.work) as folder:
        command = [need("skopeo"), "--insecure-policy", "copy", "--quiet"]
        command += ["--dest-compress-format", "zstd", "--dest-compress-level", LEVEL]
        readable = _readable(origin, folder, log)
        run([*command, readable, f"oci:{folder}/image:latest"], log=log)
        if readable != origin:  # what was made for it takes as much room as the image
            Path(readable.partition(":")[2]).unlink()
        return cache.store.add_oci_layout(Path(folder) / "image", repository, tag)


def _readable(origin: str, folder: str, log: Path) -> str:
    """Where skopeo reads it from: of what Docker has, an archive."""
    transport, _, reference = origin.partition(":")
    if transport != DOCKER:
        return origin
    archive = f"{folder}/saved.tar"
    run([need("docker"), "image", "save", "--output", archive, reference], log=log)
    return f"docker-archive:{archive}"


def pull_image(
    cache: Cache,
    origin: str,
    name: str,
    log: Path,
    pinned: str = "",
    report: Report = lambda _text: None,
) -> tuple[str, int]:
    """Copy an image from a registry into the store; return its digest and size in bytes.

    skopeo does it: it knows how registries want to be asked, and their passwords. The image is
    kept as it is, gzip or not, so that its digest stays the one that its registry publishes and
    that containerd checks on every node. `pinned` is the digest to insist on, if there is one.
    """
    repository, tag = repository_of(name)
    source = f"{origin.rpartition(':')[0]}@{pinned}" if pinned else origin
    with tempfile.TemporaryDirectory(dir=cache.work) as folder:
        command = [need("skopeo"), "--insecure-policy", "--override-os", "linux"]
        command += ["--override-arch", architecture(), "copy", "--quiet", "--retry-times", "2"]
        image = Path(folder) / "image"
        watched = Watched(Path(folder), PATIENCE, report)
        with _as_published(source):
            run([*command, f"docker://{source}", f"dir:{image}"], log=log, watched=watched)
        return cache.store.add_folder(image, repository, tag)


@contextlib.contextmanager
def _as_published(reference: str) -> Iterator[None]:
    """Say of which image it was that a registry didn't give."""
    try:
        yield
    except BundleError as error:
        raise BundleError(
            f"{reference}: expected the image as it is published, and didn't get it: "
            f"{_said_by_skopeo(str(error))}. Look whether it exists and its registry can be "
            "reached, or limits how often one may pull, which `skopeo login` may raise; then run "
            "the same again"
        ) from None


def _said_by_skopeo(text: str) -> str:
    """The reason in its last message, without its log's form."""
    found = re.findall(r'level=fatal msg="((?:[^"\\]|\\.)*)"', text)
    return re.sub(r"\\(.)", r"\1", found[-1]) if found else text


def size_of(origin: str) -> int:
    """How many bytes an image has where skopeo reads it from, packed or not as it is there."""
    transport, _, rest = origin.partition(":")
    if transport == "docker-archive":
        return Path(rest).stat().st_size
    if transport == DOCKER:
        return int(docker("image", "inspect", "--format", "{{.Size}}", rest))
    reference = rest.removeprefix("//")
    with _as_published(reference):
        manifest = _published_manifest(reference)
        here = {"os": "linux", "architecture": architecture()}
        for each in manifest.get("manifests", []):
            if here.items() <= each.get("platform", {}).items():
                name = reference.rpartition(":")[0]
                manifest = _published_manifest(f"{name}@{each['digest']}")
                break
    return sum(part["size"] for part in manifest.get("layers", []))


def _published_manifest(reference: str) -> dict[str, Any]:
    command = [need("skopeo"), "--insecure-policy", f"--command-timeout={PATIENCE:g}s"]
    answer = output([*command, "inspect", "--raw", f"docker://{reference}"])
    manifest: dict[str, Any] = json.loads(answer)
    return manifest


def load_into_docker(cache: Cache, lock: Lock, name: str) -> str:
    """Have a bundle's image in the Docker daemon under its own name; return that name."""
    entry = lock.get(name)
    if entry["kind"] != "image":
        raise BundleError(f"{name}: is a file; only images can be loaded into Docker")
    reference: str = entry["name"]
    # Docker gives the image another id than the store, so what was loaded is written down.
    with cache.exclusive("docker", "another process is loading images into Docker"):
        record = cache.root / "docker" / f"{name}.json"
        work = cache.root / "docker" / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        loaded = json.loads(record.read_text()) if record.exists() else {}
        if loaded and docker_has(reference):
            identity = docker("image", "inspect", "--format", "{{.Id}}", reference)
            if loaded == {"digest": entry["digest"], "id": identity}:
                return reference
        log = cache.logs / f"docker-load-{name}.log"
        cache.store.write_oci_layout(entry["digest"], work / "image")
        command = [need("skopeo"), "--insecure-policy", "copy", "--quiet"]
        archive = f"{work}/image.tar"
        run([*command, f"oci:{work}/image", f"docker-archive:{archive}:{reference}"], log=log)
        run([need("docker"), "image", "load", "--quiet", "--input", archive], log=log)
        shutil.rmtree(work)
        identity = docker("image", "inspect", "--format", "{{.Id}}", reference)
        cache.write(record, json.dumps({"digest": entry["digest"], "id": identity}))
    if loaded and loaded["id"] != identity and docker_has(loaded["id"]):
        # The one before has lost its name. Nodes of a running cluster may still need it.
        with contextlib.suppress(BundleError):
            docker("image", "rm", loaded["id"])
    return reference


def forget_loaded(cache: Cache) -> None:
    """Remove the images that were loaded into Docker, where Docker still answers.

    Those of containers stay: of another cluster, which may be halted."""
    for record in (cache.root / "docker").glob("*.json"):
        identity = json.loads(record.read_text())["id"]
        used = ("ps", "--all", "--quiet", "--filter", f"ancestor={identity}")
        if docker_has(identity) and not docker(*used):
            docker("image", "rm", "--force", identity)


def forget_build_images(cache: Cache) -> None:
    """Remove the base images, and the stages built on them, that this cache's builds left in
    Docker."""
    name = build_name(cache)
    docker("image", "prune", "--force", "--filter", f"label=roost.build={name}")
    names = docker("image", "ls", "--quiet", f"{name}/*").split()
    for image in dict.fromkeys(names):
        docker("image", "rm", "--force", image)
