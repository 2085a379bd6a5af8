#include "tools/cstl/machine.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"
#include "svc/wire/join.h"
#include "tools/cstl/command.h"
#include "tools/cstl/process.h"
#include "tools/cstl/switch.h"

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr size_t kMaxList = 256 * 1024;
constexpr int kPrepareMs = 60000;
constexpr int kStartMs = 30000;
constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kGib = int64_t{1} << 30;

std::string machines_path(const std::string& workspace) { return mini_folder(workspace) + "/machines.json"; }
std::string folder_of(const std::string& workspace, const Machine& machine) {
  return mini_folder(workspace) + "/" + machine.name;
}
bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Result<int> free_port() {
  Fd socket_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (!socket_fd.valid() || bind(socket_fd.get(), raw, size) != 0 || getsockname(socket_fd.get(), raw, &size) != 0) {
    return fail_errno("machine.port");
  }
  return static_cast<int>(ntohs(address.sin_port));
}

Status copy_file(const std::string& from, const std::string& to) {
  TRY_LET(auto data, read_file(from.c_str(), 1u << 30));
  return write_file_durably(to.c_str(), data, 0600);
}

Status sparse_file(const std::string& path, int64_t size) {
  TRY_LET(Fd fd, open_file(path.c_str(), O_WRONLY | O_CREAT | O_EXCL));
  if (ftruncate(fd.get(), size) != 0) return fail_errno("machine.truncate");
  return fd.close();
}

// swtpm_setup makes the CA with the first TPM and signs every endorsement key with it.
Status make_tpm(const std::string& workspace, const std::string& folder) {
  std::string ca = mini_folder(workspace) + "/ca";
  TRY(make_folders(ca));
  TRY(write_file_durably((ca + "/localca.conf").c_str(), "statedir = " + ca + "\nsigningkey = " + ca +
                                                             "/signkey.pem\nissuercert = " + ca +
                                                             "/issuercert.pem\ncertserial = " + ca + "/certserial\n"));
  TRY(write_file_durably((ca + "/localca.options").c_str(), "--platform-manufacturer cstl\n--platform-version 1\n"
                                                            "--platform-model mini\n"));
  TRY(write_file_durably((ca + "/setup.conf").c_str(), "create_certs_tool = swtpm_localca\ncreate_certs_tool_config = " +
                                                           ca + "/localca.conf\ncreate_certs_tool_options = " + ca +
                                                           "/localca.options\n"));
  std::string making = folder + "/tpm.new";
  TRY(make_folders(making));
  TRY(run_program({"swtpm_setup", "--tpm2", "--tpmstate", making, "--config", ca + "/setup.conf", "--create-ek-cert",
                   "--create-platform-cert", "--lock-nvram", "--pcr-banks", "sha256", "--overwrite", "--log",
                   folder + "/swtpm.log"},
                  folder, folder + "/swtpm.log", kPrepareMs));
  if (rename(making.c_str(), (folder + "/tpm").c_str()) != 0) return fail_errno("machine.tpm");
  return success();
}

Status make_esp(const std::string& folder, const std::string& image) {
  struct stat facts {};
  if (stat(image.c_str(), &facts) != 0) return fail_errno("machine.image");
  std::string making = folder + "/esp.new";
  (void)unlink(making.c_str());  // a leftover of an interrupted run
  int64_t size = (facts.st_size + 8 * kMib + kMib - 1) / kMib * kMib;
  TRY(sparse_file(making, size < 40 * kMib ? 40 * kMib : size));
  std::string log = folder + "/qemu.log";
  TRY(run_program({"mformat", "-i", making, "-F", "-v", "ESP", "-N", "12345678", "::"}, folder, log, kPrepareMs));
  TRY(run_program({"mmd", "-i", making, "::/EFI", "::/EFI/BOOT"}, folder, log, kPrepareMs));
  TRY(run_program({"mcopy", "-i", making, image, "::/EFI/BOOT/BOOTX64.EFI"}, folder, log, kPrepareMs));
  if (rename(making.c_str(), (folder + "/esp.img").c_str()) != 0) return fail_errno("machine.esp");
  return success();
}

Result<Digest32> init_secret_hash(const std::string& workspace) {
  std::string path = init_secret_path(workspace);
  Secret<32> secret;
  if (!exists(path)) {
    TRY(random_bytes(secret.fill()));
    std::string text = to_hex(secret.declassify());
    Status stored = write_file_durably(path.c_str(), text, 0600);
    wipe(MutBytes(reinterpret_cast<uint8_t*>(text.data()), text.size()));
    TRY(stored);
  } else {
    TRY_LET(auto text, read_file(path.c_str(), 256));
    Status decoded = from_hex(Bytes(text).text(), secret.fill());
    wipe(text);
    TRY(decoded);
  }
  return sha256({secret.declassify()});
}

// The first control plane waits for init; everyone else joins through the control planes.
Status write_metadata(const std::string& workspace, const Machine& machine, const std::vector<Machine>& all) {
  json join = json::array();
  const Machine* first = nullptr;
  for (const Machine& other : all) {
    if (other.role != Role::control_plane || other.untrusted) continue;
    if (first == nullptr) first = &other;
    if (other.name != machine.name) join.push_back(other.address() + ":9090");
  }
  json metadata = {{"cstl", "metadata/1"},
                   {"name", machine.name},
                   {"role", role_name(machine.role)},
                   {"variant", variant_name(machine.variant)},
                   {"network", {{"address", machine.address() + "/24"}, {"gateway", "10.0.2.2"}, {"dns", json::array({"10.0.2.3"})}}},
                   {"join", join}};
  if (first != nullptr && first->name == machine.name) {
    TRY_LET(Digest32 hash, init_secret_hash(workspace));
    metadata["init_secret_sha256"] = to_hex(hash);
  }
  return write_file_durably((folder_of(workspace, machine) + "/metadata.json").c_str(), metadata.dump(2) + "\n");
}

std::vector<std::string> qemu_words(const std::string& firmware_code, const MachineSize& size, Acceleration how) {
  std::vector<std::string> words = {"qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-user-config"};
  auto add = [&](std::initializer_list<const char*> more) { words.insert(words.end(), more.begin(), more.end()); };
  if (how == Acceleration::kvm) {
    add({"-accel", "kvm", "-cpu", "host"});
  } else {
    // QEMU 7.2 emulates cmpxchg16b wrongly (garbage in EFLAGS, then a double fault in the guest, one boot in ten), and
    // emulated vector units make the kernel's SHA-256 slower than its plain code. Before QEMU 8.2, processors that run in
    // parallel may execute code that another has just patched (Linux: "Oops: int3"), so several take turns.
    add({"-accel", size.cpus > 1 ? "tcg,thread=single" : "tcg,thread=multi", "-cpu", "max,la57=off,cx16=off,avx=off,avx2=off"});
  }
  add({"-machine", "q35,smm=off"});
  words.insert(words.end(), {"-smp", std::to_string(size.cpus), "-m", std::to_string(size.memory_mib), "-drive",
                             "if=pflash,format=raw,readonly=on,file=" + firmware_code});
  return words;
}
}  // namespace

std::string mini_folder(const std::string& workspace) { return absolute_workspace(workspace) + "/cstl-mini"; }
std::string init_secret_path(const std::string& workspace) { return mini_folder(workspace) + "/init-secret"; }
std::string ca_certificate_path(const std::string& workspace) { return mini_folder(workspace) + "/ca/issuercert.pem"; }

Result<std::vector<Machine>> load_machines(const std::string& workspace, std::string* problem) {
  std::vector<Machine> out;
  if (!exists(machines_path(workspace))) return out;
  *problem = machines_path(workspace);
  TRY_LET(auto data, read_file(machines_path(workspace).c_str(), kMaxList));
  TRY_LET(json document, parse_json(Bytes(data).text(), kMaxList));
  if (!document.is_array()) return fail(Code::workspace, "machines.kind");
  for (const json& element : document) {
    JsonObject entry(element, Code::workspace, "machines.", problem);
    TRY(entry.members({"name", "role", "image", "variant", "untrusted", "number", "init", "join", "verify", "recover",
                        "api"}));
    Machine machine;
    TRY_LET(machine.name, entry.text("name", kMaxNodeName));
    if (!valid_node_name(machine.name)) return entry.wrong("name", "is no machine's name");
    TRY_LET(std::string_view role, entry.text("role", 32));
    TRY_LET(machine.role, role_from_name(role));
    TRY_LET(machine.image, entry.text("image", PATH_MAX));
    TRY_LET(std::string_view variant, entry.text("variant", 32));
    TRY_LET(machine.variant, variant_from_name(variant));
    machine.untrusted = entry.has("untrusted") && element["untrusted"] == true;
    TRY_LET(machine.number, entry.number("number", 0, 0, kMaxMachines - 1));
    auto port = [&](const char* name) { return entry.number(name, 0, 1, 65535); };
    TRY_LET(machine.init, port("init"));
    TRY_LET(machine.join, port("join"));
    TRY_LET(machine.verify, port("verify"));
    TRY_LET(machine.recover, port("recover"));
    TRY_LET(machine.api, port("api"));
    out.push_back(machine);
  }
  problem->clear();
  return out;
}

Status store_machines(const std::string& workspace, const std::vector<Machine>& machines) {
  json document = json::array();
  for (const Machine& machine : machines) {
    document.push_back({{"name", machine.name}, {"role", role_name(machine.role)}, {"image", machine.image},
                        {"variant", variant_name(machine.variant)}, {"untrusted", machine.untrusted},
                        {"number", machine.number}, {"init", machine.init},
                        {"join", machine.join}, {"verify", machine.verify}, {"recover", machine.recover},
                        {"api", machine.api}});
  }
  return write_file_durably(machines_path(workspace).c_str(), document.dump(2) + "\n");
}

Result<Machine> plan_machine(const std::string& name, Role role, Variant variant, const std::string& image,
                             const std::vector<Machine>& others) {
  Machine machine;
  auto taken = [&](int64_t number) {
    return std::any_of(others.begin(), others.end(), [&](const Machine& other) { return other.number == number; });
  };
  while (taken(machine.number)) ++machine.number;
  if (machine.number >= kMaxMachines) return fail(Code::no_space, "machine.number");
  machine.name = name;
  machine.role = role;
  machine.variant = variant;
  machine.image = image;
  TRY_LET(machine.init, free_port());
  TRY_LET(machine.join, free_port());
  TRY_LET(machine.verify, free_port());
  TRY_LET(machine.recover, free_port());
  TRY_LET(machine.api, free_port());
  return machine;
}

Status adopt_tpm(const std::string& workspace, const Machine& machine, const std::string& from, std::string* problem) {
  const std::string folder = folder_of(workspace, machine), making = folder + "/tpm.new";
  *problem = from + "/tpm2-00.permall is missing";
  if (!exists(from + "/tpm2-00.permall")) return fail(Code::not_found, "machine.tpm");
  *problem = folder + "/tpm";
  if (exists(folder + "/tpm")) return fail(Code::exists, "machine.tpm");
  TRY(make_folders(making));
  TRY(run_program({"cp", "-R", "--", from + "/.", making}, folder, folder + "/swtpm.log", kPrepareMs));
  if (rename(making.c_str(), (folder + "/tpm").c_str()) != 0) return fail_errno("machine.tpm");
  return success();
}

Status prepare_machine(const std::string& workspace, const Config& config, const Machine& machine,
                       const std::vector<Machine>& all, std::string* problem) {
  std::string folder = folder_of(workspace, machine);
  *problem = folder;
  TRY(make_folders(folder));
  if (has_tpm(machine.variant) && !exists(folder + "/tpm")) {
    *problem = folder + "/swtpm.log";
    TRY(make_tpm(workspace, folder));
  }
  *problem = in_workspace(absolute_workspace(workspace), config.mini.firmware_vars);
  if (!exists(folder + "/vars.fd")) TRY(copy_file(*problem, folder + "/vars.fd"));
  *problem = machine.image + " (see " + folder + "/qemu.log)";
  TRY(make_esp(folder, machine.image));
  *problem = folder + "/state.img";
  if (!exists(folder + "/state.img")) TRY(sparse_file(folder + "/state.img", config.mini.disk_gib * kGib));
  *problem = folder + "/metadata.json";
  return write_metadata(workspace, machine, all);
}

Acceleration probe_acceleration(const std::string& workspace, const Config& config) {
  if (access("/dev/kvm", R_OK | W_OK) != 0) return Acceleration::emulation;
  std::string folder = mini_folder(workspace);
  std::string answer = folder + "/acceleration";  // of an earlier probe: it takes seconds where KVM does not work
  if (auto known = read_file(answer.c_str(), 16); known.ok()) {
    return Bytes(*known).text() == "kvm" ? Acceleration::kvm : Acceleration::emulation;
  }
  std::string serial = folder + "/probe.log";
  (void)unlink(serial.c_str());
  auto words = qemu_words(in_workspace(absolute_workspace(workspace), config.mini.firmware_code), MachineSize{1, 256}, Acceleration::kvm);
  words.insert(words.end(), {"-serial", "file:" + serial, "-snapshot", "-no-reboot"});
  // With nothing to boot, OVMF reports that on its serial console within a second or two; then it waits for ever.
  (void)run_program(words, folder, folder + "/probe-qemu.log", 4000);  // what it printed decides, not how it ended
  auto seen = read_file(serial.c_str(), 1u << 20);
  bool works = seen.ok() && Bytes(*seen).text().find("BdsDxe") != std::string_view::npos;
  (void)write_file_durably(answer.c_str(), works ? "kvm" : "emulation");  // without it, the next start probes again
  return works ? Acceleration::kvm : Acceleration::emulation;
}

Status start_machine(const std::string& workspace, const Config& config, const Machine& machine, Acceleration how,
                     std::string* problem) {
  std::string folder = folder_of(workspace, machine);
  if (has_tpm(machine.variant)) {
    *problem = folder + "/swtpm.log";
    TRY(run_program({"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + folder + "/tpm", "--ctrl",
                     "type=unixio,path=swtpm.sock", "--terminate", "--daemon", "--pid", "file=" + folder + "/swtpm.pid",
                     "--log", "file=" + folder + "/swtpm.log,level=1"},
                    folder, folder + "/swtpm.log", kStartMs));
  }
  *problem = folder + "/qemu.log";
  auto words = qemu_words(in_workspace(absolute_workspace(workspace), config.mini.firmware_code),
                          machine.role == Role::control_plane ? config.mini.control_plane : config.mini.worker, how);
  char mac[32];
  std::snprintf(mac, sizeof mac, "52:54:00:c5:71:%02x", static_cast<unsigned>(machine.number & 0xff));
  // cache=unsafe: a flush of the guest ends in this host's page cache, which outlives the machine's process but not a
  // power cut of the host. etcd asks for one with every write; honoured, they made a control plane ten times slower.
  words.insert(words.end(),
               {"-drive", "if=pflash,format=raw,file=vars.fd",
                "-drive", "if=none,id=esp,format=raw,readonly=on,file=esp.img",
                "-device", "virtio-blk-pci,drive=esp,bootindex=1,romfile=",
                "-drive", "if=none,id=state,format=raw,cache=unsafe,discard=unmap,file=state.img",
                "-device", "virtio-blk-pci,drive=state,serial=cstl-state,romfile=",
                "-netdev", "dgram,id=net," + lan_port(machine.name),
                "-device", std::string("virtio-net-pci,netdev=net,romfile=,mac=") + mac, "-device", "virtio-rng-pci,romfile=",
                "-fw_cfg", "name=opt/cstl/metadata,file=metadata.json",
                "-chardev", "file,id=console,path=serial.log,append=on", "-serial", "chardev:console",
                "-daemonize", "-pidfile", "qemu.pid"});
  if (has_tpm(machine.variant)) {
    words.insert(words.end(), {"-chardev", "socket,id=tpm,path=swtpm.sock", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                               "-device", "tpm-crb,tpmdev=tpm0"});
  }
  if (!config.mini.root.empty()) {
    words.insert(words.end(), {"-drive", "if=none,id=root,format=raw,readonly=on,file=" +
                                             in_workspace(absolute_workspace(workspace), config.mini.root),
                               "-device", "virtio-blk-pci,drive=root,serial=cstl-root,romfile="});
  }
  if (!config.mini.bundle.empty()) {
    words.insert(words.end(), {"-drive", "if=none,id=bundle,format=raw,readonly=on,file=" +
                                             in_workspace(absolute_workspace(workspace), config.mini.bundle),
                               "-device", "virtio-blk-pci,drive=bundle,serial=cstl-bundle,romfile="});
  }
  return run_program(words, folder, folder + "/qemu.log", kStartMs, mini_folder(workspace));
}

bool machine_runs(const std::string& workspace, const Machine& machine) {
  return live_process(folder_of(workspace, machine) + "/qemu.pid", "qemu-system") != 0;
}

Status stop_machine(const std::string& workspace, const Machine& machine) {
  std::string folder = folder_of(workspace, machine);
  if (pid_t pid = live_process(folder + "/qemu.pid", "qemu-system"); pid != 0) TRY(kill_process(pid, SIGKILL));
  // swtpm ends by itself when QEMU's connection does; one that was left behind is ended here.
  for (int i = 0; i < 50 && live_process(folder + "/swtpm.pid", "swtpm") != 0; ++i) usleep(20000);
  if (pid_t pid = live_process(folder + "/swtpm.pid", "swtpm"); pid != 0) TRY(kill_process(pid, SIGTERM));
  return success();
}

std::string console_tail(const std::string& workspace, const Machine& machine, size_t lines) {
  auto data = read_file((folder_of(workspace, machine) + "/serial.log").c_str(), 1u << 26);
  if (!data.ok()) return "";
  std::string_view text = Bytes(*data).text();
  size_t start = text.size();
  for (size_t seen = 0; start > 0 && seen <= lines; --start) seen += text[start - 1] == '\n';
  std::string out;
  for (char c : text.substr(start)) out.push_back(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
  return out;
}

}  // namespace cstl::cli
