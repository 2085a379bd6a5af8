#!/usr/bin/env bash
# Builds Kubernetes from Debian's source package, static, into the cache. "--print-prefix" prints where.
#
# The prefix holds bin/{kubeadm,kubelet,kubectl,kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,crictl},
# etcd/{etcd,etcdctl} (Debian's, which need its C library), version (as in v1.20.2) and used.lock. It exists whole or
# not at all; a run that was interrupted goes on with what the compiler had finished. The same pins give the same bytes.
. "$(dirname "${BASH_SOURCE[0]}")/../deps/lib.sh"

COMMANDS=(kubeadm kubelet kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy)
GO=/usr/lib/go-1.19/bin/go
JOBS=${JOBS:-$(nproc)}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Neither the cloud providers that moved out of the tree nor Docker: a third less to build, to carry and to attack.
TAGS=providerless,dockerless
# What `kubeadm version` prints; fixed, so that the build's day is not in the binaries.
BUILD_DATE=1970-01-01T00:00:00Z

go_version=$(dpkg-query -W -f '${Version}' golang-1.19-go 2>/dev/null) ||
  die "the package golang-1.19-go is missing: run tools/deps/install.sh"
PREFIX=$CSTL_CACHE/kubernetes/$(hash_of "$HERE/build.sh" "$HERE/crictl.go" -- "$(lock_lines kubernetes)" "$go_version")
case ${1:-} in
  --print-prefix) printf '%s\n' "$PREFIX"; exit ;;
  '') ;;
  *) die "usage: build.sh [--print-prefix]" ;;
esac

if [ -e "$PREFIX/used.lock" ]; then ready kubernetes "$PREFIX"; exit; fi
hold kubernetes
if [ -e "$PREFIX/used.lock" ]; then ready kubernetes "$PREFIX"; exit; fi
scratch kubernetes

# fetch_all: "NAME FILE FOLDER LINE-OF-used.lock" for each package of the set. In a subshell, so that the lock on apt
# isn't held while compiling.
fetch_all() (
  hold apt
  while read -r name suite series version sum; do
    type=deb
    [ "$name" != kubernetes ] || type=deb-src
    fetch "$type" "$name" "$suite" "$series" "$version" "$sum" || exit 1
    printf '%s %s %s %s\n' "$name" "$FETCHED_FILE" "$FETCHED" "$USED"
  done < <(lock_lines kubernetes)
)
fetched=$(fetch_all)
OUT=$SCRATCH/out TREE=$SCRATCH/go/src/k8s.io/kubernetes
mkdir -p "$OUT/bin" "$OUT/etcd" "$TREE" "$SCRATCH/deb"
while read -r name file folder used; do
  if [ "$name" = kubernetes ]; then
    tar -xf "$file" -C "$TREE" --strip-components=1 --no-same-owner
    # Debian's patches are security fixes.
    tar -xf "$folder"/*.debian.tar.xz -C "$SCRATCH/deb" --no-same-owner
    while read -r patch; do
      patch -d "$TREE" -p1 -s -f <"$SCRATCH/deb/debian/patches/$patch" || die "kubernetes: $patch does not apply"
    done < <(grep -v '^#' "$SCRATCH/deb/debian/patches/series")
    version=$(upstream "$(awk '{ print $4 }' <<<"$used")")
    version=v${version##*really}
  else
    dpkg-deb -x "$file" "$SCRATCH/deb"
  fi
  printf 'kubernetes %s\n' "$used" >>"$OUT/used.lock"
done <<<"$fetched"
# reflect2 1.0.1, which the tree carries, reads memory it must not under Go 1.18 and later.
rm -r "$TREE/vendor/github.com/modern-go/reflect2"
cp -r "$SCRATCH/deb/usr/share/gocode/src/github.com/modern-go/reflect2" "$TREE/vendor/github.com/modern-go/"
mkdir "$TREE/cmd/crictl"
cp "$HERE/crictl.go" "$TREE/cmd/crictl/"
install -m 0755 "$SCRATCH/deb/usr/bin/etcd" "$SCRATCH/deb/usr/bin/etcdctl" "$OUT/etcd/"
printf '%s\n' "$version" >"$OUT/version"

# The compiler's own cache, kept until it isn't needed: an interrupted build goes on where it was.
export GOPATH=$SCRATCH/go GOCACHE=$CSTL_CACHE/tmp/kubernetes-go-${PREFIX##*/}
export GO111MODULE=off GOFLAGS='' GOENV=off GOTOOLCHAIN=local CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1
log=$CSTL_CACHE/log/kubernetes.log
mkdir -p "${log%/*}"
: >"$log"

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

# The tarball lacks one generated file: the API's own description.
compile openapi-gen -o "$SCRATCH/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
(
  cd "$TREE"
  # Every package that asks for it, under the name that the tree's own Makefile gives it.
  inputs=$(find -L cmd pkg plugin vendor/k8s.io -name '*.go' ! -path 'vendor/k8s.io/code-generator/*' \
    ! -path 'vendor/k8s.io/sample-apiserver/*' ! -path '*/testdata/*' -print0 |
    xargs -0 grep -lE '^// *\+k8s:openapi-gen=true' | xargs -n1 dirname | sort -u | sed 's,^,k8s.io/kubernetes/,' | paste -sd,)
  PATH=${GO%/*}:$PATH "$SCRATCH/openapi-gen" --logtostderr -i "$inputs" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
    -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$SCRATCH/violations" >>"$log" 2>&1
) || { tail -n 25 "$log" >&2; die "kubernetes: openapi-gen failed; the whole log is $log"; }

ld="-s -w -buildid="
for package in component-base/version client-go/pkg/version; do
  p=k8s.io/kubernetes/vendor/k8s.io/$package
  ld+=" -X $p.gitVersion=$version -X $p.gitMajor=$(cut -d. -f1 <<<"${version#v}") -X $p.gitMinor=$(cut -d. -f2 <<<"$version")"
  ld+=" -X $p.gitTreeState=archive -X $p.gitCommit= -X $p.buildDate=$BUILD_DATE"
done
compile "${COMMANDS[*]} crictl" -tags "$TAGS" -ldflags "$ld" -o "$OUT/bin/" "${COMMANDS[@]/#/./cmd/}" ./cmd/crictl
for command in "${COMMANDS[@]}" crictl; do
  [ -x "$OUT/bin/$command" ] || die "kubernetes: $command is missing from the build; the log is $log"
done

mkdir -p "${PREFIX%/*}"
rm -rf -- "$PREFIX"
mv -T -- "$OUT" "$PREFIX"
rm -rf -- "$GOCACHE"
ready kubernetes "$PREFIX"
