# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The official sites and registries, played with what a bundle that was built has.

They have their own names and TLS: whoever asks goes through a proxy on this machine, and trusts a
certificate that was made for it. What they offer is where the real ones have it, so that
bundle/components.yml is used as it is.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bundle.backend import FETCH, OFFICIAL
from bundle.cache import Cache, Lock
from bundle.components import Component, Components
from bundle.names import repository_of
from bundle.releases import ARCHIVES
from tests.played_site import INDEX_TYPE, Site, archive, played_site

HOSTS = ("dl.k8s.io", "github.com", "registry.k8s.io", "gcr.io", "ghcr.io", "registry-1.docker.io")
# Where images live that are said to be docker.io's.
REGISTRIES = {"docker.io": "registry-1.docker.io"}
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
BLOB_TYPE = "application/octet-stream"


@contextmanager
def official_sites(built: Cache, folder: Path) -> Iterator[tuple[Site, dict[str, str]]]:
    """The sites, and the environment in which they are the ones that are asked."""
    trusted = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)
    with played_site(context) as site:
        _offer(site, built)
        yield site, {"HTTPS_PROXY": site.url, "SSL_CERT_FILE": str(trusted), "NO_PROXY": ""}


def _certificate(folder: Path) -> Path:
    """Key and certificate for all of the hosts, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "played official sites")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path = folder / "official.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(pem)
    )
    return path


def _offer(site: Site, built: Cache) -> None:
    lock = Lock(built.lock_file).components
    site.put(_at(OFFICIAL), b"v1.36.3\n", "text/plain")
    # Address and checksum's address of each download → the files in it.
    downloads: dict[tuple[str, str], dict[str, bytes]] = {}
    for item in Components(FETCH).components.values():
        if item.kind == "file":
            (release,) = item.sources
            at = (release.spec["url"], release.spec["checksum"])
            binary = gzip.decompress(built.store.read(lock[item.id]["blob"]))
            downloads.setdefault(at, {})[item.member] = binary
        elif item.release:
            _offer_image(site, built, item, lock[item.id]["digest"])
    for (url, checksum), members in downloads.items():
        content = archive(members) if url.endswith(ARCHIVES) else next(iter(members.values()))
        site.put(_at(url), content)
        line = f"{hashlib.sha256(content).hexdigest()}  {PurePosixPath(url).name}\n"
        site.put(_at(checksum), line.encode(), "text/plain")


def _at(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


def _offer_image(site: Site, built: Cache, item: Component, digest: str) -> None:
    """The built image under the name of the official one, in an index as registries have it."""
    registry = item.release.partition("/")[0]
    repository, tag = repository_of(item.release)
    host = REGISTRIES.get(registry, registry)
    manifest = built.store.read(digest)
    described = {
        "mediaType": MANIFEST_TYPE,
        "digest": digest,
        "size": len(manifest),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [described]}
    at = f"{host}/v2/{repository}"
    site.put(f"{host}/v2/", b"{}")
    site.put(f"{at}/manifests/{tag}", json.dumps(index).encode(), INDEX_TYPE)
    site.put(f"{at}/manifests/{digest}", manifest, MANIFEST_TYPE)
    for blob, _size in built.store.references(digest):
        site.files[f"{at}/blobs/{blob}"] = (built.store.blob_path(blob), BLOB_TYPE)
