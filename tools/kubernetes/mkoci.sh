#!/usr/bin/env bash
# mkoci.sh OUT.tar ROOTFS --name NAME… --entrypoint PATH [--user UID]: the folder ROOTFS as a container image of one
# layer, in an archive of the OCI layout, which `ctr -n k8s.io images import` and others take. --name may be repeated.
#
# Every file is root's, every time stamp one; the same tree gives the same bytes, and nothing needs root or a daemon.
# GNU tar, zstd and sha256sum are all it takes: umoci and buildah write the time of day into what they make, and
# compress with gzip only.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../initrd/image/recipe.sh"

usage="mkoci.sh OUT.tar ROOTFS --name NAME… --entrypoint PATH [--user UID]"
[[ $# -ge 2 ]] || die "OUT.tar and ROOTFS are needed" "got $# arguments" "$usage"
out=$1 rootfs=$2 names=() entrypoint='' user=''
shift 2
while [[ $# -gt 0 ]]; do
  [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage"
  case $1 in
    --name) names+=("$2") ;;
    --entrypoint) entrypoint=$2 ;;
    --user) user=$2 ;;
    *) die "unknown option $1" "it isn't in the list" "$usage" ;;
  esac
  shift 2
done
[[ -d $rootfs ]] || die "no files for the image" "$rootfs is not a folder" "$usage"
[[ ${#names[@]} -gt 0 ]] || die "the image needs a name" "no --name was given" "$usage"
# These go into JSON as they are.
for word in "${names[@]}" "$entrypoint"; do
  [[ $word =~ ^[A-Za-z0-9._:/@-]+$ ]] || die "cannot take '$word'" "only letters, digits and ._:/@- are taken" "$usage"
done
[[ $user =~ ^([0-9]{1,9})?$ ]] || die "cannot take the user '$user'" "it isn't a number" "$usage"
need zstd zstd
scratch

blobs=$tmp/layout/blobs/sha256
mkdir -p "$blobs"
digest() { sha256sum "$1" | cut -d' ' -f1; }

# blob FILE: puts it among the blobs; prints `"digest":…,"size":…` for what refers to it
blob() {
  local sum
  sum=$(digest "$1")
  mv "$1" "$blobs/$sum"
  printf '"digest":"sha256:%s","size":%d' "$sum" "$(stat -c %s "$blobs/$sum")"
}

# pack FORMAT-OPTIONS: tar, with nothing of this machine in it
pack() { tar --sort=name --format=ustar --mtime="@$epoch" --owner=0 --group=0 --numeric-owner "$@"; }

date=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
pack -C "$rootfs" -cf "$tmp/layer" .
diff=$(digest "$tmp/layer")
zstd -q -5 --single-thread --no-progress --rm "$tmp/layer" -o "$tmp/layer.zst"
layer=$(blob "$tmp/layer.zst")
printf '{"architecture":"amd64","os":"linux","created":"%s","config":{%s"Entrypoint":["%s"],"WorkingDir":"/","Env":["PATH=%s"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s"}]}' \
  "$date" "${user:+\"User\":\"$user\",}" "$entrypoint" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$diff" "$date" >"$tmp/config"
config=$(blob "$tmp/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd",%s}]}' \
  "$config" "$layer" >"$tmp/manifest"
manifest=$(blob "$tmp/manifest")
entries=''
for name in "${names[@]}"; do
  entries+=${entries:+,}$(printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}' \
    "$manifest" "$name" "${name##*:}")
done
printf '{"schemaVersion":2,"manifests":[%s]}' "$entries" >"$tmp/layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$tmp/layout/oci-layout"
pack -C "$tmp/layout" -cf "$tmp/image" oci-layout index.json blobs
publish "$tmp/image" "$out"
