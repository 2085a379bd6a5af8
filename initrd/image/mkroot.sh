#!/usr/bin/env bash
# mkroot.sh OUTDIR [option…]: the folder that mkverity.sh packs as a node's root.
#
#   --program FILE        one of our programs, to /usr/bin; may be repeated
#   --image FILE[:SET]    a container image (an archive of the OCI layout, of mkoci.sh) that every node knows from its
#                         first boot; SET is node, the default, or control-plane; may be repeated
#   --without-kubernetes  neither its programs nor its images: they come as components then
#   --kernel-prefix DIR   default: where tools/deps/image.sh put the kernel
#   --policy DIR          compiled seccomp profiles for pods, *.oci.json
#   --manifests DIR       what the bootstrapper applies to a new cluster, *.yaml
#
# What comes from Debian is in root.list, which kernel modules in node-modules.list. The root has no shell, no package
# manager and no init: PID 1 stays cstl-init. OUTDIR is replaced as a whole. The same inputs make the same tree; nothing
# needs root, since mkverity.sh --all-root makes every file root's.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

outdir='' programs=() images=() kubernetes=1 given_prefix='' policy='' manifests=''
usage="mkroot.sh OUTDIR [option…]; the head of this script lists the options"
while [[ $# -gt 0 ]]; do
  case $1 in
    --without-kubernetes) kubernetes=''; shift; continue ;;
    --*) [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage" ;;&
    --program) programs+=("$2"); shift ;;
    --image) images+=("$2"); shift ;;
    --kernel-prefix) given_prefix=$2; shift ;;
    --policy) policy=$2; shift ;;
    --manifests) manifests=$2; shift ;;
    -*) die "unknown option $1" "it isn't in the list" "$usage" ;;
    *) [[ -z $outdir ]] || die "one OUTDIR only" "got $outdir and $1" "$usage"
       outdir=${1%/} ;;
  esac
  shift
done
[[ -n $outdir ]] || die "OUTDIR is needed" "no folder was named" "$usage"
find_prefix "$given_prefix"
need depmod kmod
need zstd zstd

debian=$("$repo/tools/deps/root.sh" --print-prefix)
[[ -r $debian/used.lock ]] || die "Debian's packages are missing" "$debian is not there" "run tools/deps/root.sh"
if [[ -n $kubernetes ]]; then
  kubernetes=$("$repo/tools/kubernetes/build.sh" --print-prefix)
  made=$("$repo/tools/kubernetes/images.sh" --print-prefix)
  [[ -r $kubernetes/used.lock && -e $made/complete ]] ||
    die "Kubernetes is missing" "$kubernetes or $made is not there" "run tools/kubernetes/images.sh"
  for image in "$made"/node/*.tar; do images+=("$image"); done
  for image in "$made"/control-plane/*.tar; do images+=("$image:control-plane"); done
fi
scratch
mkdir -p "$(dirname "$outdir")"
root=$outdir.part.$$
trap 'rm -rf "$tmp" "$root"' EXIT
rm -rf "$root"

"$here/pick.sh" "$debian" "$root" "$here/root.list"
# Mount points, and folders that programs want to find though they can't make them here.
mkdir -p "$root"/{dev,proc,sys,run,tmp,var,opt,root,boot} "$root"/etc/{kubernetes,cni,cstl,containerd} \
  "$root"/usr/libexec/kubernetes/kubelet-plugins/volume/exec "$root/usr/lib/cstl"
chmod 0700 "$root/root"
chmod 1777 "$root/tmp"

# /etc: what belongs to one machine is made by PID 1 at boot.
for name in hosts resolv.conf hostname machine-id; do
  ln -s "/run/cstl/etc/$name" "$root/etc/$name"
done
install -m 0644 "$here/os-release" "$root/usr/lib/os-release"
ln -s ../usr/lib/os-release "$root/etc/os-release"
install -m 0644 "$here/containerd.toml" "$root/etc/containerd/config.toml"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
mkdir -p "$root/etc/ssl/certs"
find "$debian/usr/share/ca-certificates" -name '*.crt' | sort | while read -r certificate; do
  cat "$certificate"
  printf '\n'
done | sed '/^$/d' >"$root/etc/ssl/certs/ca-certificates.crt"
ln -s certs/ca-certificates.crt "$root/etc/ssl/cert.pem"

# Kernel modules, not compressed: PID 1 can't unpack, and the kernel would do it again at each boot.
"$here/closure.sh" "$prefix/modules" "$release" "$here/node-modules.list" >"$tmp/load"
"$here/closure.sh" "$prefix/modules" "$release" "$here/node-modules.list" spare >"$tmp/all"
modules=$root/usr/lib/modules/$release
while read -r module; do
  name=${module%%.ko*}.ko
  mkdir -p "$modules/$(dirname "$name")"
  case $module in
    *.ko.xz) xz -dc "$prefix/modules/$module" ;;
    *.ko.zst) zstd -qdc "$prefix/modules/$module" ;;
    *) cat "$prefix/modules/$module" ;;
  esac >"$modules/$name"
done <"$tmp/all"
cp "$prefix"/modules/modules.builtin "$prefix"/modules/modules.builtin.modinfo "$prefix"/modules/modules.order "$modules/"
PATH=$PATH:/usr/sbin:/sbin depmod --basedir "$root" "$release"
sed "s,\.ko.*,.ko,; s,^,/usr/lib/modules/$release/," "$tmp/load" >"$root/etc/cstl/node-modules"
# kubeadm reads it.
cp "$prefix/boot/config-$release" "$root/boot/"

for program in "${programs[@]}"; do
  readable "$program" "a program for the root"
  install -m 0755 "$program" "$root/usr/bin/"
done
if [[ -n $kubernetes ]]; then
  for name in kubeadm kubelet kubectl crictl; do
    install -m 0755 "$kubernetes/bin/$name" "$root/usr/bin/"
  done
  install -m 0755 "$kubernetes/bin/import-images" "$root/usr/lib/cstl/"
  mkdir -p "$root/usr/share/cstl"
  install -m 0644 "$kubernetes/version" "$root/usr/share/cstl/kubernetes-version"
fi

# Container images: the layout as it is, so that its digests stay checkable, and its one layer unpacked next to it.
# import-images makes containerd use both where they are.
for image in "${images[@]}"; do
  set=node
  case $image in *:node | *:control-plane) set=${image##*:} image=${image%:*} ;; esac
  readable "$image" "a container image"
  layout=$root/usr/share/cstl/images/$set/$(basename "$image" .tar)
  [[ ! -e $layout ]] || die "two images are called $(basename "$image" .tar)" "both are for the set $set" "rename one file"
  mkdir -p "$layout"
  tar -xf "$image" -C "$layout" --no-same-owner
  while read -r manifest; do
    config=$(sed -E 's/.*"config":\{[^}]*"digest":"sha256:([0-9a-f]{64})".*/\1/' "$layout/blobs/sha256/$manifest")
    layer=$(sed -E 's/.*"layers":\[\{[^}]*"digest":"sha256:([0-9a-f]{64})".*/\1/' "$layout/blobs/sha256/$manifest")
    diff=$(sed -E 's/.*"diff_ids":\["sha256:([0-9a-f]{64})"\].*/\1/' "$layout/blobs/sha256/$config")
    [[ $diff =~ ^[0-9a-f]{64}$ ]] || die "cannot unpack $image" "it has not exactly one layer" "make it with tools/kubernetes/mkoci.sh"
    [[ ! -d $layout/layers/$diff ]] || continue
    zstd -qdc "$layout/blobs/sha256/$layer" >"$tmp/layer"
    [[ $(sha256sum "$tmp/layer" | cut -d' ' -f1) == "$diff" ]] ||
      die "cannot unpack $image" "the layer is not what its configuration says" "make the image again"
    mkdir -p "$layout/layers/$diff"
    tar -xf "$tmp/layer" -C "$layout/layers/$diff" --no-same-owner --same-permissions
  done < <(grep -oE '"mediaType":"application/vnd.oci.image.manifest.v1\+json","digest":"sha256:[0-9a-f]{64}"' "$layout/index.json" |
    sed -E 's/.*sha256:([0-9a-f]{64}).*/\1/' | sort -u)
done

mkdir -p "$root/usr/share/cstl/seccomp"
shopt -s nullglob
for profile in ${policy:+"$policy"/*.oci.json}; do
  install -m 0644 "$profile" "$root/usr/share/cstl/seccomp/$(basename "$profile" .oci.json).json"
done
objects=(${manifests:+"$manifests"/*.yaml})
if [[ ${#objects[@]} -gt 0 ]]; then
  /usr/bin/python3 -I "$here/manifests.py" "${objects[@]}" >"$tmp/manifests.json" ||
    die "cannot read the manifests" "see the message above" "correct the file; python3-yaml must be installed"
  while read -r profile; do
    readable "$root/usr/share/cstl/seccomp/$profile" "the seccomp profile that a manifest names; --policy brings it"
  done < <(grep -oE '"localhostProfile": ?"cstl/[^"]*"' "$tmp/manifests.json" | sed -E 's,.*"cstl/([^"]*)",\1,' | sort -u)
  install -m 0644 "$tmp/manifests.json" "$root/usr/share/cstl/manifests.json"
fi

chmod 0755 "$root"
rm -rf "$outdir"
mv -T "$root" "$outdir"
