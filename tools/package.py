#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what others install: './dev package' and './dev package --help' call this.

Usage: package.py [KIND ...]

  deb    Debian packages, by dpkg-buildpackage from a clean copy; lintian must find no error
  tar    a build that runs wherever it is unpacked, with the libraries that it needs
  oci    an image with the program, its libraries, its configuration and nothing else, made without a daemon
  sbom   what is in tar and oci, as SPDX 2.3
Without KIND all of them. They lie in build/package, or where PACKAGE_OUT says."""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = pathlib.Path(os.environ.get("PACKAGE_OUT", ROOT / "build/package"))
USER = 10001
# What every Linux with glibc 2.36 has of its own, and must not be brought along in a tar: it fits the kernel and
# the name services of the machine.
OF_GLIBC = re.compile(r"^(ld-linux|libc|libm|libpthread|libdl|librt|libresolv|libnss|linux-vdso)\b")
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class Failure(Exception):
    """Something that could not be made, in words."""


def run(*command, cwd=ROOT, env=None, log: str | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if log is not None:
        (OUT / log).write_text(done.stdout)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def version() -> str:
    return re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]


def architecture() -> str:
    return run("dpkg", "--print-architecture").strip()


def released_at() -> int:
    """[s] since the epoch: of the last commit, so that the same source gives the same package."""
    with contextlib.suppress(Failure):
        return int(run("git", "log", "-1", "--format=%ct"))
    return int((ROOT / "meson.build").stat().st_mtime)


# --- what is installed ---

def installed() -> pathlib.Path:
    """A tree as `meson install` makes it, with the prefix /usr."""
    build, root = ROOT / "build/package-build", OUT / "root"
    if not (build / "build.ninja").exists():
        run("meson", "setup", build, "-Dbuildtype=release", "-Db_lto=true", "-Dtests=false", "--prefix=/usr",
            "--sysconfdir=/etc")
    run("ninja", "-C", build)
    shutil.rmtree(root, ignore_errors=True)
    run("meson", "install", "-C", build, "--no-rebuild",
        env={"DESTDIR": str(root), "SOURCE_DATE_EPOCH": str(released_at())})
    run("strip", "--strip-unneeded", root / "usr/bin/gatehouse")
    return root


def libraries(program: pathlib.Path) -> dict[str, pathlib.Path]:
    """By the name that they are asked for; the loader too."""
    found = {}
    for line in run("ldd", program).splitlines():
        match = re.match(r"\s*(\S+) => (/\S+)", line) or re.match(r"\s*(/\S+)() \(", line)
        if match:
            path = pathlib.Path(match[2] or match[1])
            found[pathlib.Path(match[1]).name] = path
        elif "not found" in line:
            raise Failure(f"a library is missing: {line.strip()}")
    return found


# --- deb ---

def copy_of_source(to: pathlib.Path) -> None:
    """What git knows, as it lies here."""
    for name in run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        source = ROOT / name
        if name and source.exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name)


def make_deb() -> list[pathlib.Path]:
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / f"gatehouse-{version()}"
        copy_of_source(source)
        run("dpkg-buildpackage", "--build=binary", "--no-sign", "--no-check-builddeps", cwd=source, log="deb.log",
            env={"SOURCE_DATE_EPOCH": str(released_at())})
        built = [path for path in pathlib.Path(scratch).iterdir() if path.suffix in (".deb", ".changes", ".buildinfo")]
        for path in built:
            shutil.move(path, OUT / path.name)
    changes = next(OUT / path.name for path in built if path.suffix == ".changes")
    findings = run("lintian", "--allow-root", "--fail-on", "error,warning", changes, log="lintian.log")
    if findings.strip():
        print(findings.strip())
    return [OUT / path.name for path in built if path.suffix == ".deb"]


# --- tar ---

def make_tar() -> list[pathlib.Path]:
    name = f"gatehouse-{version()}-linux-{architecture()}"
    tree = OUT / name
    root = installed()
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(root / "usr", tree)
    shutil.copytree(root / "etc", tree / "etc")
    (tree / "lib").mkdir(exist_ok=True)
    for wanted, path in libraries(tree / "bin/gatehouse").items():
        if not OF_GLIBC.match(wanted):
            shutil.copy2(path.resolve(), tree / "lib" / wanted)
            run("patchelf", "--set-rpath", "$ORIGIN", tree / "lib" / wanted)
    run("patchelf", "--set-rpath", "$ORIGIN/../lib", tree / "bin/gatehouse")
    write_sbom(tree / "share/doc/gatehouse/gatehouse.spdx.json", tree)
    path = OUT / f"{name}.tar.gz"
    moment = released_at()

    def settled(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = moment
        return member

    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, name, filter=settled)
    return [path]


# --- oci ---

def image_tree() -> pathlib.Path:
    """The root of the image: what runs, and what that reads."""
    root, tree = installed(), OUT / "image-root"
    shutil.rmtree(tree, ignore_errors=True)
    for directory in ("usr/bin", "etc/gatehouse", "etc/ssl/certs", "usr/share/doc/gatehouse", "tmp"):
        (tree / directory).mkdir(parents=True)
    shutil.copy2(root / "usr/bin/gatehouse", tree / "usr/bin")
    shutil.copy2(root / "etc/gatehouse/gatehouse.yaml", tree / "etc/gatehouse")
    shutil.copy2(ROOT / "LICENSE", tree / "usr/share/doc/gatehouse")
    if not CERTIFICATES.exists():
        raise Failure(f"{CERTIFICATES} is missing: install ca-certificates")
    shutil.copy2(CERTIFICATES, tree / "etc/ssl/certs")
    for wanted, path in libraries(tree / "usr/bin/gatehouse").items():
        at = path.parent if path.is_absolute() else pathlib.Path("/lib")
        (tree / at.relative_to("/")).mkdir(parents=True, exist_ok=True)
        shutil.copy2(path.resolve(), tree / at.relative_to("/") / wanted)
    (tree / "etc/passwd").write_text(f"root:x:0:0:root:/:/sbin/nologin\ngatehouse:x:{USER}:{USER}::/:/sbin/nologin\n")
    (tree / "etc/group").write_text(f"root:x:0:\ngatehouse:x:{USER}:\n")
    (tree / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (tree / "tmp").chmod(0o1777)
    write_sbom(tree / "usr/share/doc/gatehouse/gatehouse.spdx.json", tree)
    return tree


def make_oci() -> list[pathlib.Path]:
    tree, layout, tag = image_tree(), OUT / "oci", f"{OUT / 'oci'}:{version()}"
    shutil.rmtree(layout, ignore_errors=True)
    made = datetime.datetime.fromtimestamp(released_at(), datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", tag)
    for part in sorted(tree.iterdir()):
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        run("umoci", "insert", *rootless, "--image", tag, part, f"/{part.name}")
    run("umoci", "config", "--image", tag, "--created", made, "--author", "Gatehouse developers",
        "--config.user", f"{USER}:{USER}", "--config.entrypoint", "/usr/bin/gatehouse",
        "--config.cmd", "serve", "--config.cmd", "-c", "--config.cmd", "/etc/gatehouse/gatehouse.yaml",
        "--config.exposedports", "8080", "--config.exposedports", "8081", "--config.stopsignal", "SIGTERM",
        "--config.label", "org.opencontainers.image.title=Gatehouse",
        "--config.label", "org.opencontainers.image.licenses=Apache-2.0",
        "--config.label", f"org.opencontainers.image.version={version()}")
    run("umoci", "gc", "--layout", layout)
    path = OUT / f"gatehouse-{version()}-oci-{architecture()}.tar"
    with tarfile.open(path, "w") as archive:
        for part in sorted(layout.iterdir()):
            archive.add(part, part.name)
    return [path]


# --- sbom ---

def debian_package(path: pathlib.Path) -> tuple[str, str] | None:
    """Name and version of the package that a file comes from."""
    for one in (path, path.resolve(), pathlib.Path("/usr") / str(path).lstrip("/"),
                pathlib.Path(str(path.resolve()).removeprefix("/usr"))):
        with contextlib.suppress(Failure):
            owner = run("dpkg-query", "-S", one).split(": ")[0].split(",")[0]
            shown = run("dpkg-query", "-W", "-f", "${source:Package} ${Version}", owner).split()
            return owner.split(":")[0], shown[1]
    return None


def digest(path: pathlib.Path, kind: str) -> str:
    return hashlib.new(kind, path.read_bytes()).hexdigest()


def spdx_id(text: str) -> str:
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def write_sbom(path: pathlib.Path, tree: pathlib.Path) -> None:
    """Of a tree: the program, and each library in it with the Debian package that it comes from."""
    program = next(tree.rglob("bin/gatehouse"))
    moment = datetime.datetime.fromtimestamp(released_at(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    here = {file.name: file for file in tree.rglob("*") if file.is_file() and ".so" in file.name}
    packages = [{"SPDXID": "SPDXRef-gatehouse", "name": "gatehouse", "versionInfo": version(),
                 "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "Apache-2.0",
                 "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION",
                 "checksums": [{"algorithm": "SHA256", "checksumValue": digest(program, "sha256")}]}]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                  "relatedSpdxElement": "SPDXRef-gatehouse"}]
    for wanted, source in sorted(libraries(ROOT / "build/package-build/gatehouse").items()):
        if wanted not in here:
            continue
        owner = debian_package(source)
        if owner is None:
            raise Failure(f"{source} is of no Debian package")
        packages.append({
            "SPDXID": spdx_id(wanted), "name": owner[0], "versionInfo": owner[1], "packageFileName": wanted,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "LIBRARY",
            "checksums": [{"algorithm": "SHA256", "checksumValue": digest(here[wanted], "sha256")}],
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{owner[0]}@{owner[1]}?arch={architecture()}"}]})
        relations.append({"spdxElementId": "SPDXRef-gatehouse", "relationshipType": "DYNAMIC_LINK",
                          "relatedSpdxElement": spdx_id(wanted)})
    name = f"gatehouse-{version()}-{architecture()}"
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
                "documentNamespace": f"https://gatehouse.example/spdx/{name}-{digest(program, 'sha256')[:16]}",
                "creationInfo": {"created": moment, "creators": ["Tool: gatehouse-package", "Organization: Gatehouse"]},
                "packages": packages, "relationships": relations}
    path.write_text(json.dumps(document, indent=2) + "\n")


def make_sbom() -> list[pathlib.Path]:
    path = OUT / f"gatehouse-{version()}.spdx.json"
    write_sbom(path, image_tree())
    return [path]


KINDS = {"deb": make_deb, "tar": make_tar, "oci": make_oci, "sbom": make_sbom}


def main() -> int:
    wanted = sys.argv[1:] or list(KINDS)
    unknown = [kind for kind in wanted if kind not in KINDS]
    if unknown:
        print(f"package: unknown kind '{unknown[0]}'; known: {', '.join(KINDS)}", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        for kind in wanted:
            for path in KINDS[kind]():
                print(f"{kind}: {os.path.relpath(path, ROOT)} ({path.stat().st_size:,} bytes)", flush=True)
    except Failure as failure:
        print(f"package: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
