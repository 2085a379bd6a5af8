#!/usr/bin/env bash
# policyc refuses policies that name nothing, repeat, include in a circle or allow what no service may do; and says where.
# The profiles of containers hold what their policies hold, argument by argument, in the form of the OCI runtime specification.
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

# Profiles of containers: what each of several files allows, once; what a process does before it is confined.
profile() { # NAME errno|kill EXPECTED(a part of the message, or of the JSON without its layout) TEXT
  printf '%b' "$4" >"$folder/case.profile"
  local out
  if out=$("$policyc" oci "$2" "$folder/case.profile" "$folder/case.json" 2>&1); then
    out=$(/usr/bin/python3 -I -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))))' "$folder/case.json")
  fi
  if [[ $out == *"$3"* ]]; then return; fi
  echo "FAIL $1: expected '$3', got '$out'"
  status=1
}
profile 'the form' errno '{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]}' 'write: 1\nread: 1\n'
profile 'the form that kills' kill '{"defaultAction": "SCMP_ACT_KILL_PROCESS", ' 'read: 1\n'
profile 'a call twice over an include' errno '{"names": ["read", "write"], "action"' '@include other.policy\nwrite: 1\nread: 1\n'
profile 'always, where another says sometimes' errno '[{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]}' 'write: arg0 == 1\n@include other.policy\nread: 1\n'
profile 'two conditions for one call' errno '{"names": ["fcntl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 4294967295, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}]}, {"names": ["fcntl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2, "valueTwo": 0, "op": "SCMP_CMP_GT"}, {"index": 1, "value": 4294967292, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}]' 'fcntl: arg1 == F_GETFL\nread: 1\nfcntl: arg0 > 2 && arg1 in 3\nfcntl: arg1 == 3\n'
profile 'all bits of an argument' errno '"args": [{"index": 4, "value": 0, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]' 'read: 1\nsendto: arg4 is 0\n'
profile 'what is refused anyway has no rule' errno '"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}' 'read: 1\nsetuid: return EPERM\n'
profile 'what is refused where the rest kills' kill '{"names": ["setuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}' 'read: 1\nsetuid: return EPERM\n'
profile 'another error' errno '{"names": ["setuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}' 'read: 1\nsetuid: return ENOSYS\n'
profile 'refused here, allowed there' errno 'refused in one place and allowed in another' '@include other.policy\nwrite: return EPERM\n'
profile 'a start' errno '"execve"' 'execve: 1\nread: 1\n'
profile 'any child' errno 'only under a condition' 'clone: 1\n'
profile 'any prctl' errno 'only under a condition' 'prctl: 1\n'
profile 'mount, even in a container' errno 'may never be allowed' 'mount: 1\n'
profile 'setuid, even in a container' errno 'may never be allowed' 'setuid: 1\n'
profile 'two conditions of one argument' errno 'libseccomp refuses' 'read: 1\nwrite: arg0 > 1 && arg0 < 3\n'
profile 'nothing' errno 'without a call' '# nothing\n'
profile 'a circle' errno 'includes itself' '@include case.profile\n'
profile 'another default' log "errno or kill, not 'log'" 'read: 1\n'
row 'what a container may, for a service' seccomp 'may never be allowed' 'seccomp: arg0 == SECCOMP_SET_MODE_FILTER\n'

# Each profile that ships, against the texts that it includes: nothing is lost, nothing is added.
for profile in policy/seccomp/*.profile; do
  for n in 1 2; do "$policyc" oci errno "$profile" "$folder/$n.json" || status=1; done
  cmp -s "$folder/1.json" "$folder/2.json" || { echo "FAIL $profile compiles differently twice"; status=1; }
  /usr/bin/python3 -I - "$profile" "$folder/1.json" <<'PYTHON' || { echo "FAIL $profile"; status=1; }
import json, sys
def calls(path):
    for line in open(path):
        line = line.split("#")[0].strip()
        if line.startswith("@include "):
            yield from calls("policy/seccomp/" + line.split()[1])
        elif line:
            name, rule = line.split(":", 1)
            if rule.strip() != "return EPERM":
                yield name.strip(), rule.strip()
wanted = {}
for name, rule in calls(sys.argv[1]):
    wanted.setdefault(name, set()).update(["1"] if rule == "1" else [a.strip() for a in rule.split("||")])
profile = json.load(open(sys.argv[2]))
assert set(profile) == {"defaultAction", "architectures", "syscalls"}, set(profile)
found = {}
for entry in profile["syscalls"]:
    assert entry["action"] == "SCMP_ACT_ALLOW" and set(entry) <= {"names", "action", "args"}, entry
    assert "args" not in entry or len(entry["names"]) == 1, entry
    indexes = [a["index"] for a in entry.get("args", [])]
    assert len(indexes) == len(set(indexes)), entry   # runtimes take two conditions of one argument for alternatives
    for name in entry["names"]:
        found.setdefault(name, []).append(tuple(indexes))
assert set(found) == set(wanted), set(found) ^ set(wanted)
for name, rules in wanted.items():
    expected = [()] if "1" in rules else sorted(
        tuple(int(c.strip()[3]) for c in rule.split("&&")) for rule in rules)
    assert sorted(found[name]) == expected, (name, found[name], expected)
PYTHON
done

# The policies that ship compile, and to the same bytes each time.
for policy in policy/seccomp/*.policy policy/landlock/*.policy; do
  kind=$(basename "$(dirname "$policy")")
  for n in 1 2; do "$policyc" "$kind" Case "$policy" "$folder/$n.cc" || status=1; done
  cmp -s "$folder/1.cc" "$folder/2.cc" || { echo "FAIL $policy compiles differently twice"; status=1; }
done
exit $status
