#!/usr/bin/env bash
# Builds Kubernetes from Debian's source package, static, into the cache. "--print-prefix" prints where.
#
# The prefix holds bin/{kubeadm,kubelet,kubectl,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy} and our
# own bin/{crictl,import-images}, etcd/{etcd,etcdctl} (Debian's, which need its C library), version (as in v1.20.2) and
# used.lock. It exists whole or not at all; a run that was interrupted goes on with what the compiler had finished. The
# same pins give the same bytes.
# shellcheck source=tools/deps/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deps/lib.sh"

COMMANDS=(kubeadm kubelet kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy)
OWN=(crictl import-images)
GO=/usr/lib/go-1.19/bin/go
JOBS=${JOBS:-$(nproc)}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Neither the cloud providers that moved out of the tree nor Docker: a third less to build, to carry and to attack.
TAGS=providerless,dockerless
# What `kubeadm version` prints; fixed, so that the build's day is not in the binaries.
BUILD_DATE=1970-01-01T00:00:00Z

# Two stages, each with its own place in the cache, so that a change to our few lines doesn't rebuild Kubernetes.
# RECIPE is counted up when a change to this script changes what stage one makes.
RECIPE=1
go_version=$(dpkg-query -W -f '${Version}' golang-1.19-go 2>/dev/null) ||
  die "the package golang-1.19-go is missing: run tools/deps/install.sh"
stage_one=$CSTL_CACHE/lib/kubernetes-$(hash_of -- "$RECIPE" "$(lock_lines kubernetes)" "$go_version" "$TAGS" "$BUILD_DATE" "${COMMANDS[*]}")
own_sources=("${OWN[@]/#/$HERE/}")
stage_two=$CSTL_CACHE/lib/kubernetes-own-$(hash_of "${own_sources[@]/%//main.go}" -- "${stage_one##*-}" "$(lock_lines kubernetes-own)")
PREFIX=$CSTL_CACHE/kubernetes/$(hash_of -- "${stage_one##*-}" "${stage_two##*-}")
case ${1:-} in
  --print-prefix) printf '%s\n' "$PREFIX"; exit ;;
  '') ;;
  *) die "usage: build.sh [--print-prefix]" ;;
esac

# fetch_all SET: "NAME FILE FOLDER LINE-OF-used.lock" for each package. In a subshell, so that the lock on apt isn't held
# while compiling.
fetch_all() (
  hold apt
  while read -r name suite series version sum; do
    type=deb
    [ "$name" != kubernetes ] || type=deb-src
    fetch "$type" "$name" "$suite" "$series" "$version" "$sum" || exit 1
    printf '%s %s %s %s\n' "$name" "$FETCHED_FILE" "$FETCHED" "$USED"
  done < <(lock_lines "$1")
)

# make_tree: the sources, ready to compile, in $TREE; the binary packages of the sets, unpacked, in $DEB; their lines for
# used.lock in $SCRATCH/SET.lock; and $version.
make_tree() {
  [ -z "${TREE:-}" ] || return 0
  TREE=$SCRATCH/go/src/k8s.io/kubernetes DEB=$SCRATCH/deb
  local fetched set name file folder used patch
  mkdir -p "$TREE" "$DEB"
  for set in kubernetes kubernetes-own; do
    fetched=$(fetch_all "$set")
    while read -r name file folder used; do
      if [ "$name" = kubernetes ]; then
        tar -xf "$file" -C "$TREE" --strip-components=1 --no-same-owner
        # Debian's patches are security fixes.
        tar -xf "$folder"/*.debian.tar.xz -C "$DEB" --no-same-owner
        while read -r patch; do
          patch -d "$TREE" -p1 -s -f <"$DEB/debian/patches/$patch" || die "kubernetes: $patch does not apply"
        done < <(grep -v '^#' "$DEB/debian/patches/series")
        version=$(upstream "$(awk '{ print $4 }' <<<"$used")")
        version=v${version##*really}
      else
        dpkg-deb -x "$file" "$DEB"
      fi
      printf '%s %s\n' "$set" "$used" >>"$SCRATCH/$set.lock"
    done <<<"$fetched"
  done
  local vendor=$TREE/vendor/github.com gocode=$DEB/usr/share/gocode/src/github.com
  # reflect2 1.0.1, which the tree carries, reads memory it must not under Go 1.18 and later.
  rm -r "$vendor/modern-go/reflect2"
  cp -r "$gocode/modern-go/reflect2" "$vendor/modern-go/"
  # What import-images says to containerd; the tree has only a part.
  cp -r "$gocode/containerd/containerd/api/." "$vendor/containerd/containerd/api/"
  for name in "${OWN[@]}"; do
    mkdir "$TREE/cmd/$name"
    cp "$HERE/$name/main.go" "$TREE/cmd/$name/"
  done
}

# compile WHAT ARGS...: go build, with a line on what it is doing every half minute
compile() {
  local what=$1 started=$SECONDS pid; shift
  say "kubernetes: building $what (log: $log)"
  (cd "$TREE" && exec nice "$GO" build -v -p "$JOBS" -trimpath -buildvcs=false "$@") >>"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    [ $(((SECONDS - started) % 30)) != 29 ] ||
      say "kubernetes: $what: $(wc -l <"$log") packages, $((SECONDS - started)) s, at $(tail -n 1 "$log")"
  done
  wait "$pid" || { tail -n 25 "$log" >&2; die "kubernetes: $what did not build; the whole log is $log"; }
  say "kubernetes: $what: done in $((SECONDS - started)) s"
}

# The tarball lacks one generated file: the API's own description. Made by the tree's generator from every package that
# asks for it, as the tree's Makefile does.
make_openapi() (
  local inputs
  compile openapi-gen -o "$SCRATCH/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  cd "$TREE"
  inputs=$(find -L cmd pkg plugin vendor/k8s.io -name '*.go' ! -path 'vendor/k8s.io/code-generator/*' \
    ! -path 'vendor/k8s.io/sample-apiserver/*' ! -path '*/testdata/*' -print0 |
    xargs -0 grep -lE '^// *\+k8s:openapi-gen=true' | xargs -n1 dirname | sort -u | sed 's,^,k8s.io/kubernetes/,' | paste -sd,)
  PATH=${GO%/*}:$PATH "$SCRATCH/openapi-gen" --logtostderr -i "$inputs" -p k8s.io/kubernetes/pkg/generated/openapi \
    -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$SCRATCH/violations" >>"$log" 2>&1 ||
    { tail -n 25 "$log" >&2; die "kubernetes: openapi-gen failed; the whole log is $log"; }
)

# finish OUT INTO
finish() {
  mkdir -p "${2%/*}"
  rm -rf -- "$2"
  mv -T -- "$1" "$2"
}

build_kubernetes() {
  local out=$SCRATCH/one ld package command
  make_tree
  make_openapi
  ld="-s -w -buildid="
  for package in component-base/version client-go/pkg/version; do
    package=k8s.io/kubernetes/vendor/k8s.io/$package
    ld+=" -X $package.gitVersion=$version -X $package.gitMajor=$(cut -d. -f1 <<<"${version#v}")"
    ld+=" -X $package.gitMinor=$(cut -d. -f2 <<<"$version") -X $package.gitTreeState=archive"
    ld+=" -X $package.gitCommit= -X $package.buildDate=$BUILD_DATE"
  done
  mkdir -p "$out/bin" "$out/etcd"
  compile "${COMMANDS[*]}" -tags "$TAGS" -ldflags "$ld" -o "$out/bin/" "${COMMANDS[@]/#/./cmd/}"
  for command in "${COMMANDS[@]}"; do
    [ -x "$out/bin/$command" ] || die "kubernetes: $command is missing from the build; the log is $log"
  done
  install -m 0755 "$DEB/usr/bin/etcd" "$DEB/usr/bin/etcdctl" "$out/etcd/"
  printf '%s\n' "$version" >"$out/version"
  cp "$SCRATCH/kubernetes.lock" "$out/used.lock"
  finish "$out" "$stage_one"
}

build_own() {
  local out=$SCRATCH/two
  make_tree
  mkdir -p "$out/bin"
  compile "${OWN[*]}" -ldflags "-s -w -buildid=" -o "$out/bin/" "${OWN[@]/#/./cmd/}"
  cp "$SCRATCH/kubernetes-own.lock" "$out/used.lock"
  finish "$out" "$stage_two"
}

if [ -e "$PREFIX/used.lock" ]; then ready kubernetes "$PREFIX"; exit; fi
hold kubernetes
if [ -e "$PREFIX/used.lock" ]; then ready kubernetes "$PREFIX"; exit; fi
scratch kubernetes
# The compiler's own cache, kept until it isn't needed: an interrupted build goes on where it was.
export GOPATH=$SCRATCH/go GOCACHE=$CSTL_CACHE/tmp/kubernetes-go
export GO111MODULE=off GOFLAGS='' GOENV=off GOTOOLCHAIN=local CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1
log=$CSTL_CACHE/log/kubernetes.log
mkdir -p "${log%/*}"
: >"$log"
[ -e "$stage_one/used.lock" ] || build_kubernetes
[ -e "$stage_two/used.lock" ] || build_own
mkdir "$SCRATCH/out"
cp -al "$stage_one/." "$SCRATCH/out/"
cp -al "$stage_two/bin/." "$SCRATCH/out/bin/"
rm "$SCRATCH/out/used.lock"    # a link to stage one's
cat "$stage_one/used.lock" "$stage_two/used.lock" >"$SCRATCH/used.lock"
mv "$SCRATCH/used.lock" "$SCRATCH/out/"
finish "$SCRATCH/out" "$PREFIX"
rm -rf -- "$GOCACHE"
ready kubernetes "$PREFIX"
