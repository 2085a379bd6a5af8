// policyc: turns the reviewed text of policy/seccomp and policy/landlock into C++ tables when the programs are built.
// A policy that names an unknown system call or right, repeats a line, includes in a circle, or allows what no service
// may ever do, fails the build. The filter itself is made by libseccomp (default: kill the process; foreign
// architectures and x32: kill), so the programs carry neither a parser nor libseccomp.
//
//   policyc seccomp NAME FILE OUTPUT       policyc landlock NAME FILE OUTPUT       policyc oci errno|kill FILE OUTPUT
//
// `oci` makes the profile of a container from policy/seccomp/*.profile: JSON of the OCI runtime specification
// (config-linux.md, "Seccomp"), which is what the kubelet's Localhost profiles are for containerd and CRI-O. It is
// what a service needs from execve to its own lock-down and afterwards, so it includes the policies of the service and
// of its children: there a call that stands in several files is allowed what any of them allows. What is not listed
// fails with EPERM (errno), or kills (kill: for tests, which so find what a program or a container runtime would miss
// in silence). libseccomp gets the same rules, so what it would refuse at a container's start is refused here.
//
// Seccomp lines:  call: 1                                  always
//                 call: arg1 == 0x5421 || arg1 == 0x541b   any of the alternatives; && binds tighter
//                 call: return EPERM                       refused without killing
//                 @include base.policy                     from the same folder
// Operators: == and `in` (no bit outside of the mask) on the lower 32 bits, for the kernel's int arguments; is != < <= >
// >= on all 64. Values: numbers and the names of kNames, joined by |.
// Landlock lines: $state: read_file write_file             rights from kRights
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

struct Name {
  const char* name;
  uint64_t value;
};
constexpr Name kNames[] = {
    {"AF_UNIX", AF_UNIX}, {"SOCK_STREAM", SOCK_STREAM}, {"SOCK_CLOEXEC", SOCK_CLOEXEC}, {"SOCK_NONBLOCK", SOCK_NONBLOCK},
    {"F_GETFL", F_GETFL}, {"F_SETFL", F_SETFL}, {"F_GETFD", F_GETFD}, {"F_SETFD", F_SETFD},
    {"PROT_NONE", PROT_NONE}, {"PROT_READ", PROT_READ}, {"PROT_WRITE", PROT_WRITE},
    {"MAP_PRIVATE", MAP_PRIVATE}, {"MAP_ANONYMOUS", MAP_ANONYMOUS},
    {"O_RDONLY", O_RDONLY}, {"O_WRONLY", O_WRONLY}, {"O_CREAT", O_CREAT}, {"O_EXCL", O_EXCL},
    {"O_CLOEXEC", O_CLOEXEC}, {"O_NOFOLLOW", O_NOFOLLOW}, {"O_DIRECTORY", O_DIRECTORY}, {"O_NONBLOCK", O_NONBLOCK},
    {"O_PATH", O_PATH},
    {"AT_FDCWD", static_cast<uint32_t>(AT_FDCWD)}, {"AT_EMPTY_PATH", 0x1000}, {"AT_SYMLINK_NOFOLLOW", 0x100},
    {"MADV_DONTNEED", MADV_DONTNEED}, {"MSG_NOSIGNAL", MSG_NOSIGNAL}, {"MSG_DONTWAIT", MSG_DONTWAIT},
    {"SOL_SOCKET", SOL_SOCKET}, {"SO_PEERCRED", SO_PEERCRED}, {"SO_ERROR", SO_ERROR}, {"SHUT_WR", SHUT_WR},
    {"AF_NETLINK", AF_NETLINK}, {"SOCK_RAW", SOCK_RAW}, {"SIGCHLD", SIGCHLD}, {"SECCOMP_SET_MODE_FILTER", 1},
    {"CLONE_CHILD_SETTID", CLONE_CHILD_SETTID}, {"CLONE_CHILD_CLEARTID", CLONE_CHILD_CLEARTID},
    {"PR_SET_DUMPABLE", PR_SET_DUMPABLE}, {"PR_SET_NAME", PR_SET_NAME},
    {"PR_CAPBSET_READ", PR_CAPBSET_READ}, {"PR_CAPBSET_DROP", PR_CAPBSET_DROP}, {"PR_CAP_AMBIENT", PR_CAP_AMBIENT},
    {"PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS},
    {"IPPROTO_TCP", 6}, {"TCP_NODELAY", 1}, {"CLOCK_MONOTONIC", 1}, {"CLOCK_REALTIME", 0},
};
constexpr Name kErrors[] = {{"EPERM", EPERM}, {"ENOSYS", ENOSYS}, {"EACCES", EACCES}};

constexpr Name kRights[] = {
    {"write_file", LANDLOCK_ACCESS_FS_WRITE_FILE}, {"read_file", LANDLOCK_ACCESS_FS_READ_FILE},
    {"read_dir", LANDLOCK_ACCESS_FS_READ_DIR}, {"remove_dir", LANDLOCK_ACCESS_FS_REMOVE_DIR},
    {"remove_file", LANDLOCK_ACCESS_FS_REMOVE_FILE}, {"make_dir", LANDLOCK_ACCESS_FS_MAKE_DIR},
    {"make_reg", LANDLOCK_ACCESS_FS_MAKE_REG}, {"truncate", uint64_t{1} << 14},
};

// What no policy may allow, whatever the condition.
constexpr const char* kNever[] = {
    "execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "process_vm_readv", "process_vm_writev", "bpf",
    "io_uring_setup", "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "init_module", "finit_module",
    "kexec_load", "kexec_file_load", "keyctl", "add_key", "request_key", "perf_event_open", "userfaultfd", "setuid",
    "setgid", "setresuid", "setresgid", "setgroups", "capset", "prctl", "seccomp", "personality", "open_by_handle_at",
    "memfd_create", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat", "chmod", "fchmod", "fchmodat", "chown",
    "fchown", "fchownat", "lchown", "kill", "tkill", "pidfd_open", "pidfd_getfd", "bind", "listen", "reboot", "swapon",
};
// Of these, what a process does before its own lock-down, and a container runtime before it: allowed to profiles.
constexpr const char* kBeforeLockdown[] = {"execve", "clone", "capset", "prctl", "seccomp", "bind", "listen",
                                             "chmod", "lchown"};
// What may be allowed only under a condition: executable memory, sockets of any kind, any device request.
constexpr const char* kOnlyIf[] = {"mmap", "mprotect", "socket", "ioctl", "fcntl", "openat", "tgkill", "clone", "prctl",
                                     "seccomp", "chmod", "lchown"};

std::string g_file;
int g_line = 0;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "policyc: %s:%d: %s\n", g_file.c_str(), g_line, what.c_str());
  std::exit(1);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  size_t start = 0;
  for (size_t at; (at = text.find(separator, start)) != std::string::npos; start = at + separator.size()) {
    out.push_back(text.substr(start, at - start));
  }
  out.push_back(text.substr(start));
  return out;
}

std::string trim(const std::string& text) {
  size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& word : split(text, " ")) {
    if (!trim(word).empty()) out.push_back(trim(word));
  }
  return out;
}

template <size_t N>
const Name* find(const Name (&table)[N], const std::string& name) {
  for (const Name& entry : table) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

template <size_t N>
bool listed(const char* const (&table)[N], const std::string& name) {
  for (const char* entry : table) {
    if (name == entry) return true;
  }
  return false;
}

uint64_t value_of(const std::string& text) {
  uint64_t out = 0;
  for (const std::string& part : split(text, "|")) {
    std::string word = trim(part);
    if (const Name* name = find(kNames, word)) {
      out |= name->value;
      continue;
    }
    char* end = nullptr;
    errno = 0;
    uint64_t number = std::strtoull(word.c_str(), &end, 0);
    if (word.empty() || *end != '\0' || errno != 0) die("unknown value '" + word + "'");
    out |= number;
  }
  return out;
}

scmp_arg_cmp comparison(const std::string& text) {
  std::vector<std::string> parts = words(text);
  if (parts.size() < 3 || parts[0].size() != 4 || parts[0].compare(0, 3, "arg") != 0 || parts[0][3] < '0' ||
      parts[0][3] > '5') {
    die("expected 'argN operator value', got '" + text + "'");
  }
  unsigned arg = static_cast<unsigned>(parts[0][3] - '0');
  std::string value;
  for (size_t i = 2; i < parts.size(); ++i) value += parts[i];
  uint64_t v = value_of(value);
  static const std::map<std::string, scmp_compare> kOperators = {
      {"is", SCMP_CMP_EQ}, {"==", SCMP_CMP_EQ}, {"!=", SCMP_CMP_NE}, {"<", SCMP_CMP_LT},
      {"<=", SCMP_CMP_LE}, {">", SCMP_CMP_GT},  {">=", SCMP_CMP_GE}};
  // Arguments that the kernel takes as int are compared in 32 bits: user space may leave anything in the upper half.
  if (parts[1] == "in") return scmp_arg_cmp{arg, SCMP_CMP_MASKED_EQ, ~v & 0xffffffffu, 0};
  if (parts[1] == "==") return scmp_arg_cmp{arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, v};
  auto found = kOperators.find(parts[1]);
  if (found == kOperators.end()) die("unknown operator '" + parts[1] + "'");
  return scmp_arg_cmp{arg, found->second, v, 0};
}

using LineHandler = void (*)(const std::string& subject, const std::string& rule, void* context);

enum class Again : bool { repeat, skip };  // a file that is included twice

struct Files {
  Again again = Again::repeat;
  std::set<std::string> open, read;
};

void each_line(const std::string& path, Files& files, LineHandler handler, void* context) {
  if (!files.open.insert(path).second) die("includes itself");
  if (!files.read.insert(path).second && files.again == Again::skip) {
    files.open.erase(path);
    return;
  }
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) die("cannot read " + path);
  std::string outer_file = g_file;
  int outer_line = g_line;
  g_file = path;
  g_line = 0;
  char buffer[1024];
  while (std::fgets(buffer, sizeof buffer, file) != nullptr) {
    ++g_line;
    std::string line(buffer);
    if (line.empty() || line.back() != '\n') die("a line is too long, or the last one has no end");
    line.pop_back();
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (line.compare(0, 9, "@include ") == 0) {
      std::string name = trim(line.substr(9));
      if (name.find('/') != std::string::npos) die("@include takes a file of the same folder");
      each_line(path.substr(0, path.rfind('/') + 1) + name, files, handler, context);
      continue;
    }
    size_t colon = line.find(':');
    if (colon == std::string::npos) die("expected 'name: rule'");
    handler(trim(line.substr(0, colon)), trim(line.substr(colon + 1)), context);
  }
  std::fclose(file);
  g_file = outer_file;
  g_line = outer_line;
  files.open.erase(path);
}

struct Seccomp {
  scmp_filter_ctx filter;
  std::set<std::string> seen;
};

using Alternative = std::vector<scmp_arg_cmp>;

// No alternative: always.
std::vector<Alternative> alternatives(const std::string& call, const std::string& rule) {
  std::vector<Alternative> out;
  if (rule == "1") {
    if (listed(kOnlyIf, call)) die("'" + call + "' may be allowed only under a condition");
    return out;
  }
  for (const std::string& text : split(rule, "||")) {
    out.emplace_back();
    for (const std::string& condition : split(text, "&&")) out.back().push_back(comparison(trim(condition)));
  }
  return out;
}

uint16_t error_of(const std::string& rule) {
  const Name* error = find(kErrors, trim(rule.substr(7)));
  if (error == nullptr) die("unknown error '" + rule + "'");
  return static_cast<uint16_t>(error->value);
}

bool refuses(const std::string& rule) { return rule.compare(0, 7, "return ") == 0; }

void add_rule(scmp_filter_ctx filter, int call, uint32_t action, const Alternative& args) {
  int rc = seccomp_rule_add_array(filter, action, call, static_cast<unsigned>(args.size()), args.data());
  if (rc != 0) die("libseccomp refuses the rule: " + std::string(std::strerror(-rc)));
}

void seccomp_line(const std::string& call, const std::string& rule, void* context) {
  auto* state = static_cast<Seccomp*>(context);
  int number = seccomp_syscall_resolve_name(call.c_str());
  if (number < 0) die("unknown system call '" + call + "'");
  if (!state->seen.insert(call).second) die("'" + call + "' stands here twice");
  if (refuses(rule)) {
    add_rule(state->filter, number, SCMP_ACT_ERRNO(error_of(rule)), {});
    return;
  }
  if (listed(kNever, call)) die("'" + call + "' may never be allowed");
  std::vector<Alternative> allowed = alternatives(call, rule);
  if (allowed.empty()) add_rule(state->filter, number, SCMP_ACT_ALLOW, {});
  for (const Alternative& args : allowed) add_rule(state->filter, number, SCMP_ACT_ALLOW, args);
}

scmp_filter_ctx new_filter() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0 ||
      seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0) {
    die("libseccomp does not start");
  }
  return filter;
}

std::string compile_seccomp(const std::string& path, const std::string& name) {
  Seccomp state{new_filter(), {}};
  Files files;
  each_line(path, files, seccomp_line, &state);
  FILE* spool = std::tmpfile();
  if (spool == nullptr || seccomp_export_bpf(state.filter, fileno(spool)) != 0) die("the filter cannot be exported");
  seccomp_release(state.filter);
  std::rewind(spool);
  struct { uint16_t code; uint8_t jt, jf; uint32_t k; } instruction;
  static_assert(sizeof instruction == 8);
  std::string body;
  size_t count = 0;
  for (; std::fread(&instruction, sizeof instruction, 1, spool) == 1; ++count) {
    char line[64];
    std::snprintf(line, sizeof line, "    {0x%02x, %u, %u, 0x%08x},\n", instruction.code, instruction.jt,
                  instruction.jf, instruction.k);
    body += line;
  }
  std::fclose(spool);
  if (count == 0 || count > 4096) die("the filter has an impossible size");
  return "constexpr sock_filter kProgram[] = {\n" + body + "};\n}  // namespace\nextern const SeccompPolicy k" + name +
         "Seccomp{kProgram, " + std::to_string(count) + "};\n";
}

// A call of a profile: refused with an error, allowed always, or under one of its conditions.
struct Call {
  int number = 0;
  uint16_t error = 0;
  bool always = false;
  std::vector<Alternative> conditions;
};

using Profile = std::map<std::string, Call>;

bool same(const Alternative& a, const Alternative& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const scmp_arg_cmp& x, const scmp_arg_cmp& y) {
    return x.arg == y.arg && x.op == y.op && x.datum_a == y.datum_a && x.datum_b == y.datum_b;
  });
}

void profile_line(const std::string& name, const std::string& rule, void* context) {
  auto& profile = *static_cast<Profile*>(context);
  const int number = seccomp_syscall_resolve_name(name.c_str());
  if (number < 0) die("unknown system call '" + name + "'");
  const bool known = profile.count(name) != 0;
  Call& call = profile[name];
  call.number = number;
  if (refuses(rule) != (call.error != 0) && known) die("'" + name + "' is refused in one place and allowed in another");
  if (refuses(rule)) {
    call.error = error_of(rule);
    return;
  }
  if (listed(kNever, name) && !listed(kBeforeLockdown, name)) die("'" + name + "' may never be allowed");
  const std::vector<Alternative> allowed = alternatives(name, rule);
  call.always = call.always || allowed.empty();
  for (const Alternative& one : allowed) {
    const auto is_one = [&](const Alternative& other) { return same(one, other); };
    if (std::none_of(call.conditions.begin(), call.conditions.end(), is_one)) call.conditions.push_back(one);
  }
}

std::string json_arguments(const Alternative& alternative) {
  static const std::map<int, std::string> kNamesOf = {
      {SCMP_CMP_EQ, "EQ"}, {SCMP_CMP_NE, "NE"}, {SCMP_CMP_LT, "LT"}, {SCMP_CMP_LE, "LE"},
      {SCMP_CMP_GT, "GT"}, {SCMP_CMP_GE, "GE"}, {SCMP_CMP_MASKED_EQ, "MASKED_EQ"}};
  std::string out;
  for (const scmp_arg_cmp& c : alternative) {
    out += std::string(out.empty() ? "" : ", ") + "{\"index\": " + std::to_string(c.arg) + ", \"value\": " +
           std::to_string(c.datum_a) + ", \"valueTwo\": " + std::to_string(c.datum_b) + ", \"op\": \"SCMP_CMP_" +
           kNamesOf.at(c.op) + "\"}";
  }
  return out;
}

std::string compile_profile(const std::string& path, const std::string& otherwise) {
  if (otherwise != "errno" && otherwise != "kill") die("errno or kill, not '" + otherwise + "'");
  const bool kill = otherwise == "kill";
  Profile profile;
  Files files;
  files.again = Again::skip;
  each_line(path, files, profile_line, &profile);
  const scmp_filter_ctx filter = new_filter();
  std::string always, rest;
  for (const auto& [name, call] : profile) {
    if (call.error != 0) {
      // Older runtimes refuse a rule that says what is done anyway.
      if (!kill && call.error == EPERM) continue;
      add_rule(filter, call.number, SCMP_ACT_ERRNO(call.error), {});
      rest += ",\n    {\"names\": [\"" + name + "\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": " +
              std::to_string(call.error) + "}";
    } else if (call.always) {
      add_rule(filter, call.number, SCMP_ACT_ALLOW, {});
      always += (always.empty() ? "\"" : ",\n      \"") + name + "\"";
    } else {
      for (const Alternative& one : call.conditions) {
        add_rule(filter, call.number, SCMP_ACT_ALLOW, one);
        rest += ",\n    {\"names\": [\"" + name + "\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [" +
                json_arguments(one) + "]}";
      }
    }
  }
  seccomp_release(filter);
  if (always.empty()) die("a profile without a call that is always allowed");
  return "{\n  \"defaultAction\": \"" + std::string(kill ? "SCMP_ACT_KILL_PROCESS" : "SCMP_ACT_ERRNO") +
         "\",\n  \"architectures\": [\"SCMP_ARCH_X86_64\"],\n  \"syscalls\": [\n    {\"names\": [\n      " + always +
         "],\n     \"action\": \"SCMP_ACT_ALLOW\"}" + rest + "\n  ]\n}\n";
}

struct Landlock {
  std::string body;
  size_t count = 0;
  std::set<std::string> seen;
};

void landlock_line(const std::string& path, const std::string& rule, void* context) {
  auto* state = static_cast<Landlock*>(context);
  if (path.empty() || (path[0] != '/' && path[0] != '$')) die("expected an absolute path or a $name");
  if (path.find_first_of("\"\\") != std::string::npos || !state->seen.insert(path).second) die("bad or repeated path");
  uint64_t rights = 0;
  for (const std::string& word : words(rule)) {
    const Name* right = find(kRights, word);
    if (right == nullptr) die("unknown right '" + word + "'");
    rights |= right->value;
  }
  if (rights == 0) die("a path without a right");
  state->body += "    {\"" + path + "\", " + std::to_string(rights) + "},  // " + rule + "\n";
  ++state->count;
}

std::string compile_landlock(const std::string& path, const std::string& name) {
  Landlock state;
  Files files;
  each_line(path, files, landlock_line, &state);
  std::string variable = "extern const LandlockPolicy k" + name + "Landlock{";
  if (state.count == 0) return "}  // namespace\n" + variable + "nullptr, 0};\n";
  return "constexpr LandlockRule kRules[] = {\n" + state.body + "};\n}  // namespace\n" + variable + "kRules, " +
         std::to_string(state.count) + "};\n";
}

}  // namespace

int main(int argc, char** argv) {
  g_file = "arguments";
  if (argc != 5) die("usage: policyc seccomp|landlock NAME FILE OUTPUT, or policyc oci errno|kill FILE OUTPUT");
  std::string kind = argv[1];
  std::string text;
  if (kind == "oci") {
    text = compile_profile(argv[3], argv[2]);
  } else if (kind == "seccomp" || kind == "landlock") {
    text = "// Made by policyc from the policy of the same name; do not edit.\n#include \"svc/run/lockdown.h\"\n\n"
           "namespace cstl {\nnamespace {\n" +
           (kind == "seccomp" ? compile_seccomp(argv[3], argv[2]) : compile_landlock(argv[3], argv[2])) +
           "}  // namespace cstl\n";
  } else {
    die("unknown kind '" + kind + "'");
  }
  FILE* out = std::fopen(argv[4], "we");
  if (out == nullptr || std::fwrite(text.data(), 1, text.size(), out) != text.size() || std::fclose(out) != 0) {
    die("cannot write the output");
  }
  return 0;
}
