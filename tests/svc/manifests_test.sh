#!/usr/bin/env bash
# Every manifest of policy/kubernetes is accepted by a real API server (`kubectl apply --dry-run=server`), and what could
# be restricted in the pods is: their own user, no new privileges, no capability but one, a read-only root, a filter.
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
import sys, yaml
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
            check(own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"), name + ": has no filter")
            check(bool(added) or own.get("runAsNonRoot") is True, name + ": runs as root")
            check(container.get("imagePullPolicy") == "Never", name + ": pulls its image")
            for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
                get = container.get(probe, {}).get("httpGet", {})
                where = "%s:%s" % (get.get("host"), get.get("port"))
                check(get.get("path") == path and "--metrics" in container["args"] and
                      container["args"][container["args"].index("--metrics") + 1] == where, name + ": " + probe)
            check(" --log json" in " ".join(container["args"]), name + ": does not log JSON")
            check("memory" in container.get("resources", {}).get("limits", {}), name + ": has no limit of memory")
for what in wrong:
    print("FAIL", what)
sys.exit(bool(wrong))
PYTHON
echo "the manifests are accepted, and the pods restricted"
