"""container.py SERVICE ARGUMENT…: a service in a container of the real runc, as its manifest in policy/kubernetes
wants it: user, groups, capabilities, read-only root, no new privileges, and the seccomp profile that it names. What
the manifest mounts is not known here; the arguments name files below /tmp, which the container sees.

From the environment: CSTL_RUNC, CSTL_PROGRAMS_REAL (the programs), CSTL_INSTEAD (one that is run in the service's
place, or empty), CSTL_PROFILES (folder of cstl/NAME.json; empty: no filter at all), CSTL_CONTAINERS (a folder for
bundles and runc's state), CSTL_ACCOUNT (the service account's files, or empty). What is started becomes runc, which
passes signals on."""
import json
import os
import shutil
import sys

import yaml

service, arguments = sys.argv[1], sys.argv[2:]
here = os.environ["CSTL_CONTAINERS"]
program = os.environ.get("CSTL_INSTEAD") or "cstl-" + service


def manifest():
    for name in sorted(os.listdir("policy/kubernetes")):
        with open("policy/kubernetes/" + name) as text:
            for thing in yaml.safe_load_all(text):
                if thing["kind"] != "DaemonSet":
                    continue
                pod = thing["spec"]["template"]["spec"]
                for container in pod["containers"]:
                    if container["name"] == service:
                        return {**pod["securityContext"], **container["securityContext"]}
    sys.exit("no DaemonSet has a container " + service)


wanted = manifest()
assert wanted["allowPrivilegeEscalation"] is False and wanted["capabilities"]["drop"] == ["ALL"], wanted
assert wanted["readOnlyRootFilesystem"] is True, wanted
capabilities = ["CAP_" + name for name in wanted["capabilities"].get("add", [])]
groups = wanted.get("supplementalGroups", []) + ([wanted["fsGroup"]] if "fsGroup" in wanted else [])


if "--socket" in arguments:   # the folder that a manifest mounts is the service's own
    os.chown(os.path.dirname(arguments[arguments.index("--socket") + 1]), wanted["runAsUser"], -1)


def bind(source, target, more):
    return {"destination": target, "source": source, "type": "bind", "options": ["rbind", *more]}


name = "%s-%d" % (service, os.getpid())
bundle = os.path.join(here, name)
root = os.path.join(bundle, "rootfs")
for folder in ("proc", "sys", "dev", "tmp", "run", "var"):
    os.makedirs(os.path.join(root, folder))
os.symlink("/run", root + "/var/run")
shutil.copy(os.path.join(os.environ["CSTL_PROGRAMS_REAL"], program), root)
plain = ["nosuid", "noexec", "nodev"]
mounts = [{"destination": "/proc", "type": "proc", "source": "proc", "options": plain},
          {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755"]},
          {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": plain + ["ro"]},
          bind("/tmp", "/tmp", plain)]
account = os.environ.get("CSTL_ACCOUNT", "")
if account:
    mounts += [{"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": plain},
               bind(account, "/run/secrets/kubernetes.io/serviceaccount", plain + ["ro"])]
passed = [variable + "=" + os.environ[variable] for variable in
          ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT") if variable in os.environ]
config = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False, "cwd": "/", "args": ["/" + program, *arguments], "env": passed, "noNewPrivileges": True,
        "user": {"uid": wanted["runAsUser"], "gid": wanted["runAsGroup"], "additionalGids": groups},
        "capabilities": {kind: capabilities for kind in ("bounding", "permitted")} |
                        ({"effective": capabilities} if wanted["runAsUser"] == 0 else {}),
    },
    "root": {"path": "rootfs", "readonly": True},
    "mounts": mounts,
    "linux": {
        "cgroupsPath": "/cstl-seccomp-" + name,
        "namespaces": [{"type": kind} for kind in ("pid", "ipc", "mount")],   # the network is the host's
        "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
}
if os.environ.get("CSTL_PROFILES"):
    profile = wanted["seccompProfile"].get("localhostProfile", "cstl/%s.json" % service)
    with open(os.path.join(os.environ["CSTL_PROFILES"], profile)) as text:
        config["linux"]["seccomp"] = json.load(text)   # as containerd does: the file is the runtime's linux.seccomp
with open(bundle + "/config.json", "w") as text:
    json.dump(config, text)
runc = os.environ["CSTL_RUNC"]
os.execv(runc, [runc, "--root", os.path.join(here, "state"), "run", "--bundle", bundle, name])
