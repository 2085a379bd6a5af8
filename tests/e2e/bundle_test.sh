#!/usr/bin/env bash
# A control plane without a network: its root has neither Kubernetes nor a container image, the URLs in its configuration
# name a host that cannot exist (RFC 6761, .invalid), and all of this runs in a network namespace with nothing but
# loopback. So what it runs comes from the bundle disk, by the SHA-256 in the configuration that its owner signed. Ends with
# the node Ready, every image imported, and our services running. (CoreDNS is not in the bundle: Debian has none.)
if [ -z "${CSTL_AIR_GAP:-}" ]; then
  exec env CSTL_AIR_GAP=1 unshare --net -- bash "$0" "$@"
fi
ip link set lo up
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
programs=${CSTL_PROGRAMS:-$root/build/release}
kubernetes=$(dirname "$(dirname "$kubectl")")
container_images=$(tools/kubernetes/images.sh --print-prefix)

nothing_but_loopback() {
  [ "$(ip -o link | wc -l)" = 1 ]
  [ -z "$(ip route show table all | grep -v ' lo ' || true)" ]
}

# Like initrd/image/build.sh, but for what the bundle brings.
make_image() {
  local name line=()
  for name in bootstrapper attester joinservice keyservice verificationservice; do
    line+=(--program "$programs/cstl-$name")
  done
  initrd/image/mkroot.sh "$work/root" --without-kubernetes "${line[@]}" --policy "$programs/policy" \
    --manifests policy/kubernetes
  [ ! -e "$work/root/usr/bin/kubelet" ] && [ ! -e "$work/root/usr/share/cstl/images" ]
  initrd/image/mkverity.sh "$work" "$work/root" --all-root >"$work/verity"
  rm -rf "$work/root"
  initrd/image/mkuki.sh "$work/node.efi" --initrd "$images/node-initramfs.cpio.zst" --cmdline "$(cat "$work/verity")" >/dev/null
}

# component NAME FILE PATH: an entry of kubernetes.components
component() {
  printf '  - url: https://components.invalid/%s\n    sha256: %s\n    path: %s\n' "$1" "$(sha256sum "$2" | cut -d' ' -f1)" "$3"
}

make_bundle() {
  local name file files=() tars=()
  for name in joinservice:901 keyservice:902 verificationservice:903 nodenetwork:906; do
    tools/kubernetes/image.sh "$work/${name%:*}.tar" "cstl.local/${name%:*}:v1" "$programs/cstl-${name%:*}" "${name#*:}"
    tars+=("$work/${name%:*}.tar")
  done
  for name in pause kube-proxy etcd kube-apiserver kube-controller-manager kube-scheduler; do
    tars+=("$(ls "$container_images"/*/"$name.tar")")
  done
  {
    for name in kubelet kubeadm crictl; do
      files+=("$kubernetes/bin/$name")
      component "$name" "$kubernetes/bin/$name" "/opt/cstl/bin/$name"
    done
    for file in "${tars[@]}"; do component "$(basename "$file")" "$file" "/var/lib/cstl/images/$(basename "$file")"; done
  } >"$work/components"
  sed -i -e '/^  components:/r '"$work/components" -e 's/^  components:.*/  components:/' "$work/cstl-conf.yaml"
  cstl -C "$work" bundle create --out "$work/bundle.tar" "${tars[@]/#/--image=}" "${files[@]}"  # 0: nothing is missing
  [ "$(cstl -C "$work" -o json bundle show "$work/bundle.tar" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["files"]))')" = 13 ]
}

boots() { cstl -C "$work" mini up --boot-only; }

came_from_the_bundle() {
  local log=$work/cstl-mini/control-plane-0/serial.log name
  for name in kubelet kubeadm crictl; do grep -aq "install /opt/cstl/bin/$name" "$log"; done
  [ "$(grep -ac 'install /var/lib/cstl/images/' "$log")" = 10 ]
  kube get node control-plane-0 -o json | python3 -c '
import json, sys
names = {name for image in json.load(sys.stdin)["status"]["images"] for name in image["names"]}
wanted = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "pause",
          "cstl.local/joinservice", "cstl.local/keyservice", "cstl.local/verificationservice", "cstl.local/nodenetwork"]
missing = [w for w in wanted if not any(w in name for name in names)]
sys.exit("not imported: " + ", ".join(missing) if missing else 0)'
}

services_ready() {
  local name
  for name in joinservice keyservice nodenetwork verificationservice-control-plane; do
    retry 300 kube -n cstl-system rollout status --timeout=5s "daemonset/cstl-$name"
  done
  retry 120 kube -n kube-system rollout status --timeout=5s daemonset/kube-proxy
}

step "a network namespace with loopback alone" nothing_but_loopback
step "a root without Kubernetes, and its UKI" make_image
step "configure" configure --kubernetes workers=0 "image=$work/node.efi" "root=$work/root.img"
sed -i "s|^# bundle: .*|  bundle: $work/bundle.tar|" "$work/cstl-conf.yaml"
step "cstl bundle create: programs and container images in one file" make_bundle
step "boot a control plane with the bundle as a disk" boots
step "cstl init: components from the bundle, then kubeadm init" cstl -C "$work" init
step "the node is Ready" cstl -C "$work" mini up
step "everything was installed from the bundle, and every image is there" came_from_the_bundle
step "our services and kube-proxy run" services_ready
step "cstl mini down" cstl -C "$work" mini down
echo "a control plane that no network fed"
