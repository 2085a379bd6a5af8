#!/usr/bin/env bash
# policyc refuses policies that name nothing, repeat, include in a circle or allow what no service may do; and says where.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
policyc=${POLICYC:-build/release/policyc}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0

# row NAME KIND EXPECTED(ok or a part of the message) TEXT
row() {
  printf '%b' "$4" >"$folder/case.policy"
  local out
  if out=$("$policyc" "$2" Case "$folder/case.policy" "$folder/case.cc" 2>&1); then out=ok; fi
  if [[ $out == *"$3"* ]]; then return; fi
  echo "FAIL $1: expected '$3', got '$out'"
  status=1
}

printf 'write: 1\n' >"$folder/other.policy"
row 'a call that is always allowed' seccomp ok 'read: 1\n'
row 'alternatives and conditions' seccomp ok 'fcntl: arg1 == F_GETFL || arg1 == 2 && arg2 in 0x800\n'
row 'a call that is refused without killing' seccomp ok 'execve: return EPERM\n'
row 'an include' seccomp ok '@include other.policy\nread: 1 # why\n'
row 'an unknown call' seccomp 'case.policy:1: unknown system call' 'raed: 1\n'
row 'a call twice' seccomp 'case.policy:2: '"'read'"' stands here twice' 'read: 1\nread: 1\n'
row 'a call twice over an include' seccomp 'stands here twice' '@include other.policy\nwrite: 1\n'
row 'a circle of includes' seccomp 'includes itself' '@include case.policy\n'
row 'an include from elsewhere' seccomp 'of the same folder' '@include ../base.policy\n'
row 'a missing include' seccomp 'cannot read' '@include none.policy\n'
row 'execve' seccomp 'may never be allowed' 'execve: 1\n'
row 'execve under a condition' seccomp 'may never be allowed' 'execve: arg0 == 1\n'
row 'executable memory by omission' seccomp 'only under a condition' 'mmap: 1\n'
row 'any socket' seccomp 'only under a condition' 'socket: 1\n'
row 'an unknown constant' seccomp "unknown value 'AF_NOPE'" 'socket: arg0 == AF_NOPE\n'
row 'an unknown operator' seccomp 'unknown operator' 'socket: arg0 = 1\n'
row 'an argument that does not exist' seccomp "expected 'argN operator value'" 'socket: arg6 == 1\n'
row 'an unknown error' seccomp 'unknown error' 'read: return EMAYBE\n'
row 'no rule' seccomp "expected 'name: rule'" 'read\n'
row 'no end of line' seccomp 'has no end' 'read: 1'
row 'a path with rights' landlock ok '$state: read_file write_file\n/etc/cstl: read_file\n'
row 'no path at all' landlock ok '# nothing\n'
row 'a relative path' landlock 'absolute path or a $name' 'etc: read_file\n'
row 'an unknown right' landlock 'unknown right' '/etc: read\n'
row 'a path without a right' landlock 'without a right' '/etc:\n'
row 'a path twice' landlock 'repeated path' '/etc: read_file\n/etc: read_dir\n'
row 'execution' landlock 'unknown right' '/bin: execute\n'

# The policies that ship compile, and to the same bytes each time.
for policy in policy/seccomp/*.policy policy/landlock/*.policy; do
  kind=$(basename "$(dirname "$policy")")
  for n in 1 2; do "$policyc" "$kind" Case "$policy" "$folder/$n.cc" || status=1; done
  cmp -s "$folder/1.cc" "$folder/2.cc" || { echo "FAIL $policy compiles differently twice"; status=1; }
done
exit $status
