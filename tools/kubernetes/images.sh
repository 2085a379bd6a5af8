#!/usr/bin/env bash
# Makes the container images of Kubernetes itself, under the names that its kubeadm asks for, into the cache.
# "--print-prefix" prints where: control-plane/*.tar and node/*.tar, archives of the OCI layout (see mkoci.sh).
#
# Debian has no CoreDNS: a node that finds no image of that name among the baked ones leaves the add-on out.
# shellcheck source=tools/deps/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deps/lib.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
IMAGE=$(cd "$HERE/../../initrd/image" && pwd)
CC=${CC:-gcc}
# Time stamps of images don't follow the caller.
export SOURCE_DATE_EPOCH=0

kubernetes=$("$HERE/build.sh" --print-prefix)
root=$("$DEPS_DIR/root.sh" --print-prefix)
PREFIX=$CSTL_CACHE/container-images/$(hash_of "$HERE/images.sh" "$HERE/mkoci.sh" "$IMAGE/pick.sh" "$IMAGE/recipe.sh" \
  "$HERE"/images/*.list "$HERE"/images/*.c -- "${kubernetes##*/}" "${root##*/}" \
  "$(dpkg-query -W -f '${Version} ' gcc libc6-dev zstd tar 2>/dev/null)")
case ${1:-} in
  --print-prefix) printf '%s\n' "$PREFIX"; exit ;;
  '') ;;
  *) die "usage: images.sh [--print-prefix]" ;;
esac
if [ -e "$PREFIX/complete" ]; then say "container images: ready in $PREFIX"; exit; fi
"$HERE/build.sh"
"$DEPS_DIR/root.sh"
hold container-images
if [ -e "$PREFIX/complete" ]; then say "container images: ready in $PREFIX"; exit; fi
scratch container-images
started=$SECONDS
version=$(cat "$kubernetes/version")
registry=k8s.gcr.io
mkdir "$SCRATCH/out"

# made SET FILE ARGS...: mkoci.sh of $SCRATCH/rootfs, which is used up
made() {
  local set=$1 file=$2; shift 2
  "$HERE/mkoci.sh" "$SCRATCH/out/$set/$file.tar" "$SCRATCH/rootfs" "$@"
  rm -r "$SCRATCH/rootfs"
}

# compiled NAME: the program of images/NAME.c at /NAME
compiled() {
  mkdir -p "$SCRATCH/rootfs"
  "$CC" -std=gnu11 -Os -Wall -Wextra -Werror -static -s -Wl,--gc-sections,--build-id=none -ffile-prefix-map="$HERE=." \
    -o "$SCRATCH/rootfs/$1" "$HERE/images/$1.c"
}

say "container images: making"
compiled pause
made node pause --name "$registry/pause:3.2" --entrypoint /pause
compiled hello
made node hello --name cstl.local/hello:v1 --entrypoint /hello --user 65534
for program in kube-apiserver kube-controller-manager kube-scheduler; do
  install -D -m 0755 "$kubernetes/bin/$program" "$SCRATCH/rootfs/usr/local/bin/$program"
  made control-plane "$program" --name "$registry/$program:$version" --entrypoint "/usr/local/bin/$program"
done
"$IMAGE/pick.sh" "$root" "$SCRATCH/rootfs" "$HERE/images/etcd.list" \
  "$kubernetes/etcd/etcd:/usr/local/bin/etcd" "$kubernetes/etcd/etcdctl:/usr/local/bin/etcdctl"
made control-plane etcd --name "$registry/etcd:3.4.13-0" --entrypoint /usr/local/bin/etcd
"$IMAGE/pick.sh" "$root" "$SCRATCH/rootfs" "$HERE/images/kube-proxy.list" \
  "$kubernetes/bin/kube-proxy:/usr/local/bin/kube-proxy"
made node kube-proxy --name "$registry/kube-proxy:$version" --entrypoint /usr/local/bin/kube-proxy
touch "$SCRATCH/out/complete"
mkdir -p "${PREFIX%/*}"
rm -rf -- "$PREFIX"
mv -T -- "$SCRATCH/out" "$PREFIX"
say "container images: done in $((SECONDS - started)) s"
