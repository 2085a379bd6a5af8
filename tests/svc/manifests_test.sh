#!/usr/bin/env bash
# Every manifest of policy/kubernetes is accepted by a real API server (`kubectl apply --dry-run=server`), and what could
# be restricted in the pods is: their own user, no new privileges, no capability but one, a read-only root, a filter. Every
# exception to Pod Security's restricted level stands in docs/services.md, and what stands there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/cstl-manifests-XXXXXX")
mkfifo "$work/in"
tests/harness/control_plane.sh "$work/plane" <"$work/in" >"$work/out" 2>"$work/err" &
plane=$!
exec 3>"$work/in"
trap 'exec 3>&-; wait $plane 2>/dev/null || true; rm -rf "$work"' EXIT
for ((n = 0; n < 900; n++)); do grep -qx ready "$work/out" && break; sleep 0.1; done
grep -qx ready "$work/out" || { cat "$work/err"; exit 1; }
KUBECONFIG=$(sed -n 's/^kubeconfig=//p' "$work/out")
export KUBECONFIG
kubectl() { "${CSTL_KUBERNETES:-$(tools/kubernetes/build.sh --print-prefix)}/bin/kubectl" "$@"; }

# What the others need to exist; it is checked by being applied.
kubectl apply --server-side -f policy/kubernetes/10-namespace.yaml -f policy/kubernetes/20-cstlnodes.yaml
kubectl wait --for=condition=Established --timeout=30s crd/cstlnodes.cstl.dev
kubectl apply --server-side --dry-run=server -f policy/kubernetes/
kubectl apply --dry-run=server -f policy/kubernetes/

/usr/bin/python3 -I - policy/kubernetes/*.yaml <<'PYTHON'
import os, sys, yaml
wrong = []
def check(fact, what):
    if not fact:
        wrong.append(what)
for path in sys.argv[1:]:
    for thing in yaml.safe_load_all(open(path)):
        if thing["kind"] != "DaemonSet":
            continue
        name, pod = thing["metadata"]["name"], thing["spec"]["template"]["spec"]
        added = {"cstl-nodenetwork": ["NET_ADMIN"]}.get(name, [])   # docs/services.md tells why
        user = pod.get("securityContext", {})
        for container in pod["containers"]:
            own = {**user, **container.get("securityContext", {})}
            check(own.get("allowPrivilegeEscalation") is False, name + ": may gain privileges")
            check(own.get("privileged", False) is False, name + ": is privileged")
            check(own.get("readOnlyRootFilesystem") is True, name + ": writes its root")
            check(own.get("capabilities", {}).get("drop") == ["ALL"], name + ": keeps capabilities")
            check(own.get("capabilities", {}).get("add", []) == added, name + ": adds capabilities")
            filter_ = own.get("seccompProfile", {})
            check(filter_ == {"type": "Localhost", "localhostProfile": "cstl/%s.json" % container["name"]} and
                  os.path.exists("policy/seccomp/%s.profile" % container["name"]), name + ": has no filter of its own")
            check(user.get("seccompProfile") == {"type": "RuntimeDefault"}, name + ": the sandbox has no filter")
            check(bool(added) or own.get("runAsNonRoot") is True, name + ": runs as root")
            check(container.get("imagePullPolicy") == "Never", name + ": pulls its image")
            for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
                get = container.get(probe, {}).get("httpGet", {})
                where = "%s:%s" % (get.get("host"), get.get("port"))
                check(get.get("path") == path and "--metrics" in container["args"] and
                      container["args"][container["args"].index("--metrics") + 1] == where, name + ": " + probe)
            check(" --log json" in " ".join(container["args"]), name + ": does not log JSON")
            check("memory" in container.get("resources", {}).get("limits", {}), name + ": has no limit of memory")

def exceptions(pod):
    """What the restricted level (Kubernetes 1.34) would refuse, in the table's words."""
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    harmless = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in pod.get("volumes", []):
        for kind in set(volume) - {"name"} - harmless:
            yield "%s %s" % (kind, volume[kind].get("path", ""))
    user = pod.get("securityContext", {})
    if user.get("sysctls"):
        yield "sysctls"
    for container in pod["containers"] + pod.get("initContainers", []) + pod.get("ephemeralContainers", []):
        own = {**user, **container.get("securityContext", {})}
        if own.get("runAsNonRoot") is not True or own.get("runAsUser") == 0:
            yield "runs as root"
        if own.get("privileged"):
            yield "privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "may gain privileges"
        if "ALL" not in own.get("capabilities", {}).get("drop", []):
            yield "keeps capabilities"
        for capability in set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
            yield "capability " + capability
        if own.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "no filter"
        if own.get("procMount", "Default") != "Default":
            yield "procMount"
        for member in ("seLinuxOptions", "windowsOptions"):
            if own.get(member):
                yield member
        for port in container.get("ports", []):
            if port.get("hostPort"):
                yield "hostPort %d" % port["hostPort"]
        hooks = [container.get(p, {}) for p in ("startupProbe", "livenessProbe", "readinessProbe")]
        hooks += list(container.get("lifecycle", {}).values())
        for hook in hooks:
            for how in ("httpGet", "tcpSocket"):
                if hook.get(how, {}).get("host"):
                    yield "probe host " + hook[how]["host"]

found = set()
for path in sys.argv[1:]:
    for thing in yaml.safe_load_all(open(path)):
        template = thing.get("spec", {}).get("template", {}) if thing["kind"] != "Pod" else thing
        if "containers" in template.get("spec", {}):
            found |= {(thing["metadata"]["name"], what) for what in exceptions(template["spec"])}
text = open("docs/services.md").read().split("\n## Exceptions to Pod Security\n")[1].split("\n## ")[0]
rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| cstl-")]
check(all(len(row) == 3 and row[2] for row in rows), "an exception in docs/services.md has no reason")
listed = {(row[0], row[1]) for row in rows}
for name, what in sorted(found - listed):
    wrong.append(name + ": " + what + " is no exception of docs/services.md")
for name, what in sorted(listed - found):
    wrong.append(name + ": " + what + " stands in docs/services.md, but the manifest has it not")
for what in wrong:
    print("FAIL", what)
sys.exit(bool(wrong))
PYTHON
echo "the manifests are accepted, and the pods restricted"
