#!/usr/bin/env bash
# The recipes of a node's root and of container images: what they make, and what they refuse. Needs what `make image`
# has fetched and built.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

check() { # NAME COMMAND…: fails when the command does
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    printf 'ok   %s\n' "$name"
  else
    printf 'FAIL %s\n' "$name"
    sed 's/^/     /' "$work/log"
    status=1
  fi
}

refused() { # NAME TEXT COMMAND…: fails unless the command does, with TEXT in its message
  local name=$1 text=$2
  shift 2
  if ! "$@" >"$work/log" 2>&1 && grep -qF "$text" "$work/log"; then
    printf 'ok   %s\n' "$name"
  else
    printf 'FAIL %s\n' "$name"
    sed 's/^/     /' "$work/log"
    status=1
  fi
}

mkdir -p "$work/one/etc" "$work/two/etc"
for tree in one two; do
  install -m 0755 /bin/true "$work/$tree/program"
  printf 'x\n' >"$work/$tree/etc/file"
done
touch -d 2001-01-01 "$work/two/program"
oci=tools/kubernetes/mkoci.sh
check "an image is made" "$oci" "$work/one.tar" "$work/one" --name local/a:v1 --name local/b:v1 --entrypoint /program --user 9
check "made again elsewhere and later" env TZ=Asia/Tokyo TMPDIR="$work" bash -c 'umask 077; "$@"' - \
  "$oci" "$work/two.tar" "$work/two" --name local/a:v1 --name local/b:v1 --entrypoint /program --user 9
check "it has the same bytes" cmp "$work/one.tar" "$work/two.tar"
mkdir "$work/layout"
tar -xf "$work/one.tar" -C "$work/layout"
check "every blob has its digest for a name" bash -c 'cd "$1"; for f in *; do echo "$f  $f"; done | sha256sum -c' - \
  "$work/layout/blobs/sha256"
check "every part of it is JSON" python3 -c 'import json,sys
for n in json.load(open(sys.argv[1] + "/index.json"))["manifests"]:
    m = json.load(open(sys.argv[1] + "/blobs/sha256/" + n["digest"][7:]))
    c = json.load(open(sys.argv[1] + "/blobs/sha256/" + m["config"]["digest"][7:]))
    assert c["config"]["User"] == "9" and len(c["rootfs"]["diff_ids"]) == len(m["layers"]) == 1' "$work/layout"
refused "a name that would break the JSON" "cannot take" "$oci" "$work/x.tar" "$work/one" --name 'a","b' --entrypoint /program
refused "an image without a name" "needs a name" "$oci" "$work/x.tar" "$work/one" --entrypoint /program
refused "a program that needs libraries, in an image from scratch" "is not static" \
  tools/kubernetes/image.sh "$work/x.tar" local/ls:v1 /bin/ls

printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\n' >"$work/1.yaml"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n' >"$work/2.yaml"
printf 'just: a map\n' >"$work/bad.yaml"
check "manifests become one array, in order" bash -c '
  [ "$(/usr/bin/python3 -I initrd/image/manifests.py "$1/1.yaml" "$1/2.yaml" | grep -oE "\"name\":\"[a-c]\"" | tr -d "\n")" = \
    "\"name\":\"a\"\"name\":\"b\"\"name\":\"c\"" ]' - "$work"
refused "a document that is no Kubernetes object" "no Kubernetes object" /usr/bin/python3 -I initrd/image/manifests.py "$work/bad.yaml"

debian=$(tools/deps/root.sh --print-prefix)
printf 'usr/bin/no-such-program\n' >"$work/list"
refused "a list that names what no package has" "nothing matches" initrd/image/pick.sh "$debian" "$work/p" "$work/list"
mkdir -p "$work/bare/usr/bin"
cp "$debian/usr/bin/socat" "$work/bare/usr/bin/"
printf 'usr/bin/socat\n' >"$work/list"
refused "a program whose libraries no package has" "is missing" initrd/image/pick.sh "$work/bare" "$work/p" "$work/list"

root=$work/root
check "a root is made" initrd/image/mkroot.sh "$root" --without-kubernetes --program /bin/true --image "$work/one.tar:node"
check "its modules are where PID 1 looks for them" bash -c 'while read -r m; do [ -f "$1$m" ] || exit 1; done <"$1/etc/cstl/node-modules"' - "$root"
check "its image lies unpacked" cmp /bin/true "$(echo "$root"/usr/share/cstl/images/node/one/layers/*/program)"
check "it has no set-user-ID program" bash -c '[ -z "$(find "$1" -perm /6000)" ]' - "$root"
check "it has no shell and no package manager" bash -c '[ -z "$(find "$1" -name "*sh" -path "*bin*" -o -name "dpkg*" -o -name "apt*" -o -name "busybox*")" ]' - "$root"
check "every link in it leads somewhere, or to a place that is filled at boot" bash -c '
  cd "$1"; find . -type l | while read -r l; do
    t=$(readlink "$l")
    case $t in /run/cstl/etc/* | /opt/*) continue ;; /*) t=.$t ;; *) t=$(dirname "$l")/$t ;; esac
    [ -e "$t" ] || { echo "$l -> $t"; exit 1; }
  done' - "$root"
layer=$(find "$work/layout/blobs/sha256" -size -2 -exec grep -l diff_ids {} +)
sed -Ei "s/(\"diff_ids\":\[\"sha256:)[0-9a-f]{64}/\1$(printf %064d 0)/" "$layer"
tar -C "$work/layout" -cf "$work/wrong.tar" oci-layout index.json blobs
refused "an image whose layer is not what it says" "the layer is not what its configuration says" initrd/image/mkroot.sh "$root" --without-kubernetes --image "$work/wrong.tar"
exit $status
