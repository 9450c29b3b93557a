"""Container images, written as OCI archives with nothing but the standard library: files in, one tar out."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.build.store import Say, build_once, content_key, stored

# A name that no resolver knows: an image that is missing on a node fails at once and pulls nothing from anywhere.
REGISTRY = "lab.invalid"
NOBODY = "65532:65532"
# Folders that whoever the container runs as may write to.
_OPEN = ("tmp", "var/run/cilium")


@dataclass(frozen=True)
class Image:
    """Files by their path in the image; a ``str`` is the target of a symbolic link."""

    name: str
    files: Callable[[], dict[str, Path | str]]
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    folders: tuple[str, ...] = field(default=("tmp", "etc", "var"))

    @property
    def reference(self) -> str:
        return f"{REGISTRY}/{self.name}"

    @property
    def file_name(self) -> str:
        return self.name.replace("/", "-").replace(":", "-")


def build_image(image: Image, say: Say) -> Path:
    """The image's archive, built once for its content."""

    def make(folder: Path) -> None:
        _write(folder / "image.tar", image, image.files())

    return build_once("images", image.file_name, _key(image), make, say) / "image.tar"


def archive(image: Image) -> Path:
    """Where the image's archive is after ``lab build``."""
    return stored("images", image.file_name, _key(image)) / "image.tar"


def _key(image: Image) -> str:
    return content_key([repr((image.name, image.user, image.entrypoint, image.folders)), *_described(image.files())])


def _described(files: dict[str, Path | str]) -> list[str]:
    """What decides an image's content without reading hundreds of megabytes: names, sizes, times, the store's keys."""
    parts = []
    for name, source in sorted(files.items()):
        parts.append(f"{name} {source}")
        if isinstance(source, Path):
            status = source.stat()
            parts.append(f"{status.st_size} {status.st_mtime_ns}")
    return parts


def _write(target: Path, image: Image, files: dict[str, Path | str]) -> None:
    layer = target.with_name("layer.tar")
    with tarfile.open(layer, "w") as archive:
        folders = {folder for path in files for folder in map(str, Path(path).parents) if folder != "."}
        for folder in sorted({*folders, *image.folders}):
            _add(archive, folder, tarfile.DIRTYPE, mode=0o1777 if folder in _OPEN else 0o755)
        for path, source in sorted(files.items()):
            if isinstance(source, str):
                _add(archive, path, tarfile.SYMTYPE, link=source)
            else:
                _add(archive, path, tarfile.REGTYPE, source=source)
    _archive(target, image, layer)
    layer.unlink()


def _add(
    archive: tarfile.TarFile, path: str, kind: bytes, *, mode: int = 0o755, link: str = "", source: Path | None = None
) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    if source is None:
        archive.addfile(entry)
        return
    entry.size = source.stat().st_size
    with source.open("rb") as content:
        archive.addfile(entry, content)


def _archive(target: Path, image: Image, layer: Path) -> None:
    """An OCI layout: one layer, one configuration, one manifest, one index that carries the name."""
    with layer.open("rb") as content:
        layer_digest = hashlib.file_digest(content, "sha256").hexdigest()
    process: dict[str, object] = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
    if image.user:
        process["User"] = image.user
    if image.entrypoint:
        process["Entrypoint"] = list(image.entrypoint)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": process,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": f"sha256:{layer_digest}",
                    "size": layer.stat().st_size,
                }
            ],
        }
    )
    described = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    described["annotations"] = {"io.containerd.image.name": image.reference}
    index = _json({"schemaVersion": 2, "manifests": [described]})
    with tarfile.open(target, "w") as archive:
        for folder in ("blobs", "blobs/sha256"):
            _add(archive, folder, tarfile.DIRTYPE)
        _add(archive, f"blobs/sha256/{layer_digest}", tarfile.REGTYPE, source=layer)
        for data in (config, manifest):
            _add_bytes(archive, f"blobs/sha256/{hashlib.sha256(data).hexdigest()}", data)
        _add_bytes(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add_bytes(archive, "index.json", index)


def _add_bytes(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
