#!/usr/bin/env bash
# closure.sh MODULES RELEASE LIST [PLATFORM…]: what LIST (see modules.list) means
# for the kernel RELEASE, whose modules lie in the folder MODULES. Prints the
# files to load, relative to that folder, each after all that it depends on.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

[[ $# -ge 3 ]] || die "three arguments are needed" "got $#" "closure.sh MODULES RELEASE LIST [PLATFORM…]"
[[ -d $1/kernel ]] || die "no kernel modules" "$1/kernel is not a folder" "unpack a linux-image package"
modules=$(cd "$1" && pwd -P)
release=$2
list=$3
shift 3
readable "$list" "the module list"
PATH=$PATH:/usr/sbin:/sbin
need depmod kmod
scratch

# An unpacked package has no modules.dep, and the folder may be read-only: ask
# depmod for its answer instead of its file.
mkdir -p "$tmp/lib/modules"
ln -s "$modules" "$tmp/lib/modules/$release"
depmod --show --basedir "$tmp" "$release" >"$tmp/tables" 2>"$tmp/err" ||
  die "no dependency table" "depmod --basedir for $modules: $(head -n1 "$tmp/err")" "check that the kernel package is unpacked whole"
sed '/^#/,$d' "$tmp/tables" >"$tmp/dep"     # the first table is modules.dep
[[ -s $tmp/dep ]] ||
  die "no dependency table" "depmod found no module in $modules" "check that the kernel package is unpacked whole"

awk -v platforms=" $* " '
  # modprobe treats - and _ alike
  function name(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
  function add(path) { if (!(path in done)) { done[path] = 1; print path } }
  FILENAME == ARGV[1] {                     # kernel/a.ko: kernel/needs.ko …
    file = $1; sub(/:$/, "", file); path[name(file)] = file
    needs[file] = NF; for (i = 2; i <= NF; i++) need[file, i] = $i
    next
  }
  FILENAME == ARGV[2] { builtin[name($1)] = 1; next }
  {
    sub(/#.*/, "")
    if (!NF) next
    wanted = NF == 1
    for (i = 2; i <= NF; i++) {
      if ($i !~ /^@[a-z0-9-]+$/) { print "bad line " FNR ": " $0 >"/dev/stderr"; exit 1 }
      if (index(platforms, " " substr($i, 2) " ")) wanted = 1
    }
    if (!wanted) next
    n = name($1)
    if (n in path) {
      file = path[n]
      for (i = needs[file]; i >= 2; i--) add(need[file, i])   # depmod lists the first to load last
      add(file)
    } else if (!(n in builtin)) {
      print "unknown module " $1 >"/dev/stderr"; exit 1
    }
  }
' "$tmp/dep" "$modules/modules.builtin" "$list" >"$tmp/out" 2>"$tmp/err" ||
  die "the module list doesn't fit this kernel" "$(head -n1 "$tmp/err") ($list, kernel $release)" "correct the list or take another kernel"
cat "$tmp/out"
