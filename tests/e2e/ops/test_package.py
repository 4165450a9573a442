# SPDX-License-Identifier: Apache-2.0
"""What './dev package' makes: installed, started, upgraded and removed, where nothing of this machine is touched."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from kit import wsraw
from kit.gateway import ROOT

pytestmark = pytest.mark.rare
NEEDED = ("dpkg-buildpackage", "lintian", "patchelf", "umoci", "unshare")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing)}: ./dev package installs those")
    out = tmp_path_factory.mktemp("package")
    done = subprocess.run([ROOT / "tools/package.py"], env={**os.environ, "PACKAGE_OUT": str(out)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return out


def inside(root: str, script: str, *, check: bool = True) -> subprocess.CompletedProcess:
    """Runs a script in a root of its own, which ends with it: mounts, files and all that it started."""
    return subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-euc",
                           f"{root}\nip link set lo up 2>/dev/null || true\n{script}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=check)


def machine(scratch: pathlib.Path) -> str:
    """This machine, whose changes go to `scratch`."""
    return f"""
        mount -t tmpfs none {scratch}
        mkdir {scratch}/upper {scratch}/work {scratch}/root
        mount -t overlay overlay -o lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work {scratch}/root
        mount --bind /dev {scratch}/root/dev
        mount -t proc proc {scratch}/root/proc
        ROOT={scratch}/root"""


START = """
    $RUN serve {arguments} >$LOG 2>&1 &
    for i in $(seq 600); do $RUN ready http://127.0.0.1:{port}/readyz >/dev/null 2>&1 && break; sleep 0.1; done
    $RUN ready http://127.0.0.1:{port}/readyz"""


def test_the_debian_package(made, tmp_path):
    """Installed; started as its user with the unit's command; upgraded over a changed configuration; purged."""
    deb = next(made.glob("gatehouse_*.deb"))
    shutil.copy(deb, tmp_path / "one.deb")
    newer = tmp_path / "newer"
    subprocess.run(["dpkg-deb", "-R", deb, newer], check=True)
    control = newer / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 99.0", control.read_text(), flags=re.MULTILINE))
    with (newer / "etc/gatehouse/gatehouse.yaml").open("a") as config:
        config.write("# of the newer version\n")
    subprocess.run(["dpkg-deb", "-b", newer, tmp_path / "two.deb"], check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "scratch").mkdir()
    port = wsraw.free_port()
    script = f"""
        export DEBIAN_FRONTEND=noninteractive
        cp {tmp_path}/one.deb {tmp_path}/two.deb $ROOT/root/
        chroot $ROOT dpkg -i /root/one.deb
        chroot $ROOT getent passwd gatehouse
        chroot $ROOT dpkg -L gatehouse | sed 's/^/file: /'
        RUN="chroot --userspec=gatehouse:gatehouse $ROOT /usr/bin/gatehouse"; LOG=$ROOT/tmp/log
        $RUN check -c /etc/gatehouse/gatehouse.yaml
        {START.format(arguments=f"-c /etc/gatehouse/gatehouse.yaml --listen 127.0.0.1:{port} --admin-listen 127.0.0.1:0",
                      port=port)}
        echo "runs as $(chroot $ROOT ps -o user:16= -C gatehouse | head -1)"
        echo '# mine' >>$ROOT/etc/gatehouse/gatehouse.yaml
        chroot $ROOT dpkg --force-confdef --force-confold -i /root/two.deb
        chroot $ROOT dpkg-query -W -f 'now version ${{Version}}\\n' gatehouse
        tail -1 $ROOT/etc/gatehouse/gatehouse.yaml
        echo kept >$ROOT/etc/gatehouse/users
        chroot $ROOT dpkg --purge gatehouse
        echo "left: $(ls $ROOT/etc/gatehouse) $(ls $ROOT/usr/bin/gatehouse 2>&1)" """
    said = inside(machine(tmp_path / "scratch"), script, check=False)
    assert said.returncode == 0, said.stdout
    files = set(re.findall(r"^file: (\S+)$", said.stdout, re.MULTILINE))
    for one in ("/etc/gatehouse/gatehouse.yaml", "/lib/systemd/system/gatehouse.service", "/usr/lib/sysusers.d/gatehouse.conf",
                "/usr/share/man/man1/gatehouse-serve.1.gz", "/usr/share/man/man5/gatehouse.yaml.5.gz",
                "/usr/share/bash-completion/completions/gatehouse", "/usr/share/zsh/vendor-completions/_gatehouse",
                "/usr/share/fish/vendor_completions.d/gatehouse.fish", "/usr/share/doc/gatehouse/copyright"):
        assert one in files, one
    for one in ("examples/rooms/gatehouse.yaml", "deploy/prometheus/alerts.yaml", "docs/options.md", "ARCHITECTURE.md", "LICENSE"):
        assert f"/usr/share/doc/gatehouse/{one}" in files, "a page leads there, and it is not packed"
    scripts = {name: (newer / "DEBIAN" / name).read_text() for name in ("postinst", "prerm")}
    assert re.search(r"deb-systemd-helper .*enable 'gatehouse.service'", scripts["postinst"])
    assert re.search(r"deb-systemd-invoke \$?_?\w* ?'?gatehouse.service", scripts["postinst"])
    # Stopped when it is removed, and for nothing else.
    assert re.search(r'if .*"\$1" = remove.*\n\s*deb-systemd-invoke stop', scripts["prerm"])
    assert "gatehouse:x:" in said.stdout and "runs as gatehouse" in said.stdout
    assert "now version 99.0" in said.stdout and "# mine" in said.stdout
    assert "left: users " in said.stdout and "No such file" in said.stdout


def test_the_tar_runs_where_it_is_unpacked(made, tmp_path):
    """Without any library of this machine but glibc's."""
    with tarfile.open(next(made.glob("gatehouse-*.tar.gz"))) as archive:
        archive.extractall(tmp_path)
    program = next(tmp_path.glob("gatehouse-*/bin/gatehouse"))
    lib = program.parent.parent / "lib"
    loaded = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    paths = re.findall(r"=> (\S+)", loaded)
    ours = [path for path in paths if pathlib.Path(path).resolve().is_relative_to(lib.resolve())]
    others = [pathlib.Path(path).name for path in paths if path not in ours]
    assert len(ours) > 10
    assert all(re.match(r"(libc|libm|libpthread|libdl|librt|libresolv)\.so", name) for name in others), others
    assert "gatehouse" in subprocess.run([program, "version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    subprocess.run([program, "check", "-c", program.parent.parent / "etc/gatehouse/gatehouse.yaml"], check=True)


def test_the_image_runs_as_nobody_and_writes_nothing(made, tmp_path):
    layout, bundle = made / "oci", tmp_path / "bundle"
    tag = json.loads((layout / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:{tag}", bundle], check=True)
    process = json.loads((bundle / "config.json").read_text())["process"]
    assert process["user"]["uid"] == 10001
    assert process["args"] == ["/usr/bin/gatehouse", "serve", "-c", "/etc/gatehouse/gatehouse.yaml"]
    root = bundle / "rootfs"
    (root / "proc").mkdir(exist_ok=True)  # as whatever runs images does
    assert not (root / "bin/sh").exists() and not (root / "usr/bin/env").exists()
    port = wsraw.free_port()
    said = inside(f"ROOT={root}\nmount --bind $ROOT $ROOT\nmount -o remount,bind,ro $ROOT\nmount -t proc proc $ROOT/proc", f"""
        RUN="chroot --userspec=10001:10001 $ROOT /usr/bin/gatehouse"; LOG={tmp_path}/log
        {START.format(arguments=f"-c /etc/gatehouse/gatehouse.yaml --listen 127.0.0.1:{port} --admin-listen 127.0.0.1:0",
                      port=port)}
        $RUN bench ws://127.0.0.1:{port}/ws/c-{{n}} -c 50 --hold 1s""", check=False)
    assert said.returncode == 0, said.stdout + (tmp_path / "log").read_text()
    assert "PASS" in said.stdout


def test_what_is_in_it(made):
    """SPDX 2.3: each package and relation whole, each name used once; libraries that it has, with their versions."""
    document = json.loads(next(made.glob("*.spdx.json")).read_text())
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert len(packages) == len(document["packages"])
    assert {"libssl3", "libcurl4", "liburing2", "libc6"} <= {package["name"] for package in packages.values()}
    for package in packages.values():
        assert package["versionInfo"] and package["checksums"][0]["checksumValue"]
    for relation in document["relationships"]:
        assert relation["relatedSpdxElement"] in packages
