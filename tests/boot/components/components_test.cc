// Against a real HTTPS server with a CA of its own.
#include "boot/components/components.h"

#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/components/bundle.h"
#include "crypto/hash.h"
#include "tests/harness/control_plane.h"
#include "tests/harness/swtpm.h"

using namespace cstl;

namespace {
struct Rig {
  std::string folder;
  std::unique_ptr<test::Helper> server;
  ComponentOptions options;
  std::string problem;
  std::vector<std::string> told;

  Rig() {
    char pattern[] = "/tmp/cstl-components-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    test::make_certificate(folder, "ca", "", "", "/CN=ca");
    test::make_certificate(folder, "server", folder + "/ca.crt", folder + "/ca.key");
    server = test::start_bad_server(folder + "/server.crt", folder + "/server.key");
    options.root = folder + "/root";
    options.ca_bundle = folder + "/ca.crt";
    options.download.tries = 3;
    options.download.retry_first_ms = 10;
    options.download.retry_most_ms = 20;
    options.download.stall_s = 1;
    options.download.connect_ms = 2000;
  }
  ~Rig() { std::filesystem::remove_all(folder); }

  // A file of that many bytes, served as /…/NAME.
  std::string serve(const std::string& name, const std::string& content) {
    std::string path = folder + "/" + name;
    REQUIRE(write_file_durably(path.c_str(), Bytes(content)).ok());
    server->command("file " + path + " " + name);
    return content;
  }
  // The same with what a command makes in a folder with files to pack.
  std::string make(const std::string& name, const std::string& script) {
    REQUIRE(test::run(
        {"sh", "-c", "cd " + folder + " && rm -rf pack && mkdir pack && cd pack && exec >../" + name + " && " + script},
        folder + "/make.log"));
    auto content = read_file((folder + "/" + name).c_str(), 64 << 20);
    REQUIRE(content.ok());
    server->command("file " + folder + "/" + name + " " + name);
    return std::string(Bytes(*content).text());
  }
  Component component(const std::string& how, const std::string& content, bool archive = false) const {
    Component out;
    out.url = how[0] == '/' ? "https://127.0.0.1:" + (*server)["port"] + how : how;
    out.sha256 = *sha256({Bytes(content)});
    out.path = archive ? "/opt/cni/bin" : "/opt/cstl/bin/tool";
    out.archive = archive;
    return out;
  }
  Code install(const std::vector<Component>& components) {
    told.clear();
    auto progress = [this](const Component&, ComponentStep step, uint64_t, uint64_t) {
      if (told.empty() || told.back() != component_step_name(step)) told.push_back(component_step_name(step));
    };
    return install_components(components, options, progress, &problem).code();
  }
  std::string read(const std::string& path) const {
    auto content = read_file((options.root + path).c_str(), 64 << 20);
    return content ? std::string(Bytes(*content).text()) : "(none)";
  }
  bool there(const std::string& path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(options.root + path));
  }
  // Nothing but a partial download may be left of a failure.
  void check_clean(const std::string& path) const {
    CHECK(!there(path));
    if (!std::filesystem::exists(options.root)) return;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.root)) {
      std::string name = entry.path().filename();
      bool fine = entry.is_directory() ? name[0] != '.' : name.size() > 5 && name.substr(name.size() - 5) == ".part";
      CHECK_MESSAGE(fine, entry.path().string());
    }
    CHECK(!std::filesystem::exists(folder + "/outside"));
    CHECK(!std::filesystem::exists(options.root + "/opt/outside"));
    CHECK(!std::filesystem::exists(options.root + "/opt/cni/outside"));
  }
};

std::string big(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}
}  // namespace

TEST_CASE("https, file and data components are installed once") {
  Rig rig;
  std::string content = rig.serve("tool", big(300'000));
  std::vector<Component> all = {rig.component("/files/tool", content), rig.component("data:,hello", "hello"),
                                rig.component("file://" + rig.folder + "/tool", content)};
  all[1].path = "/opt/b";
  all[2].path = "/opt/c";
  REQUIRE_MESSAGE(rig.install(all) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cstl/bin/tool") == content);
  CHECK(rig.read("/opt/b") == "hello");
  CHECK(rig.read("/opt/c") == content);
  struct stat mode = {};
  REQUIRE(stat((rig.options.root + "/opt/cstl/bin/tool").c_str(), &mode) == 0);
  CHECK((mode.st_mode & 07777) == 0755);
  REQUIRE(rig.install(all) == Code::ok);
  CHECK(rig.told == std::vector<std::string>{"present"});
  // Another content for the same place; then the first again.
  Component other = rig.component("data:,other", "other");
  REQUIRE(rig.install({other}) == Code::ok);
  CHECK(rig.read("/opt/cstl/bin/tool") == "other");
  REQUIRE(rig.install({all[0]}) == Code::ok);
  CHECK(rig.read("/opt/cstl/bin/tool") == content);
}

TEST_CASE("what is not what it should be is refused, by step and reason") {
  Rig rig;
  std::string content = rig.serve("tool", big(300'000));
  struct Row { const char* how; Code code; const char* words; };
  const Row rows[] = {
      {"/no-such-path", Code::component_unreachable, "HTTP status 404"},
      {"/loop/tool", Code::component_unreachable, "redirects"},
      {"/hops/6/tool", Code::component_unreachable, "redirects"},
      {"/downgrade/tool", Code::component_unreachable, "http"},
      {"/tofile", Code::component_unreachable, "file"},
      {"/status/503", Code::component_unreachable, "HTTP status 503"},
      {"/silent", Code::component_unreachable, "download"},
      {"/nothing", Code::component_unreachable, "download"},
      {"/garbage", Code::component_unreachable, "download"},
      {"/html", Code::component_hash, "verify"},
      {"https://127.0.0.1:1/x", Code::component_unreachable, "download"},
      {"https://no-such-name.invalid/x", Code::component_unreachable, "no-such-name.invalid"},
      {"file:///no/such/file", Code::component_unreachable, "No such file"},
      {"file:///dev/zero", Code::component_unreachable, "download"},
      {"file:///tmp", Code::component_unreachable, "download"},
      {"data:,wrong", Code::component_hash, "verify"},
      {"data:wrong", Code::bad_value, "download"},
      {"ftp://127.0.0.1/x", Code::unsupported, "download"},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.how));
    CHECK(rig.install({rig.component(row.how, content)}) == row.code);
    CHECK_MESSAGE(rig.problem.find(row.words) != std::string::npos, rig.problem);
    CHECK(rig.problem.find("/opt/cstl/bin/tool") != std::string::npos);
    rig.check_clean("/opt/cstl/bin/tool");
  }
  CHECK_MESSAGE(rig.install({rig.component("/hops/5/tool", content)}) == Code::ok, rig.problem);
  // A server that another CA vouches for, and one for another name.
  test::make_certificate(rig.folder, "other", "", "", "/CN=other");
  std::filesystem::remove_all(rig.options.root);
  std::string trusted = rig.options.ca_bundle;
  rig.options.ca_bundle = rig.folder + "/other.crt";
  CHECK(rig.install({rig.component("/files/tool", content)}) == Code::component_unreachable);
  CHECK_MESSAGE(rig.problem.find("certificate") != std::string::npos, rig.problem);
  rig.options.ca_bundle = trusted;
  CHECK(rig.install({rig.component("https://127.0.0.2:" + (*rig.server)["port"] + "/files/tool", content)}) ==
        Code::component_unreachable);
  rig.options.ca_bundle = rig.folder + "/none";
  CHECK(rig.install({rig.component("/files/tool", content)}) == Code::not_found);
  CHECK(rig.problem.find("CA bundle") != std::string::npos);
}

TEST_CASE("a download goes on where it was cut, in one run and over two") {
  Rig rig;
  std::string content = rig.serve("tool", big(450'000));
  Component cut = rig.component("/cutfile/tool", content);
  REQUIRE_MESSAGE(rig.install({cut}) == Code::ok, rig.problem);  // 100000 bytes an answer, five answers
  CHECK(rig.read("/opt/cstl/bin/tool") == content);

  std::filesystem::remove_all(rig.options.root);
  std::string part = rig.options.root + "/opt/cstl/bin/.tool." + to_hex(cut.sha256).substr(0, 12) + ".part";
  REQUIRE(make_folders(rig.options.root + "/opt/cstl/bin").ok());
  REQUIRE(write_file_durably(part.c_str(), Bytes(content).first(440'000)).ok());
  rig.server->command("reset");
  REQUIRE_MESSAGE(rig.install({cut}) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cstl/bin/tool") == content);

  // A server without Range, a partial file of something else, one that is too long: from the start.
  std::filesystem::remove_all(rig.options.root);
  rig.server->command("reset");
  REQUIRE_MESSAGE(rig.install({rig.component("/norange/tool", content)}) == Code::ok, rig.problem);
  for (const std::string& wrong : {std::string(1000, 'x'), std::string(450'000, 'x'), std::string(500'000, 'x')}) {
    std::filesystem::remove_all(rig.options.root);
    REQUIRE(make_folders(rig.options.root + "/opt/cstl/bin").ok());
    REQUIRE(write_file_durably(part.c_str(), Bytes(wrong)).ok());
    REQUIRE_MESSAGE(rig.install({rig.component("/files/tool", content)}) == Code::ok, rig.problem);
    CHECK(rig.read("/opt/cstl/bin/tool") == content);
  }
  std::filesystem::remove_all(rig.options.root);
  rig.server->command("reset");
  CHECK_MESSAGE(rig.install({rig.component("/flaky/tool", content)}) == Code::ok, rig.problem);
}

TEST_CASE("the child that speaks https makes no process, and ends with its parent") {
  Rig rig;
  rig.options.download.stall_s = 60;
  // A line of /proc/PID/FILE that begins with `key`; empty when there is none.
  auto line_of = [](const std::string& pid, const char* file, const std::string& key) {
    auto content = read_file(("/proc/" + pid + "/" + file).c_str(), 1 << 16);
    std::string text = content.ok() ? "\n" + std::string(Bytes(*content).text()) : "";
    size_t at = text.find("\n" + key);
    if (at == std::string::npos) return std::string();
    const size_t from = at + 1 + key.size();
    return text.substr(from, text.find('\n', from) - from);
  };
  const pid_t installer = fork();
  REQUIRE(installer >= 0);
  if (installer == 0) {
    (void)rig.install({rig.component("/silent", "never")});
    _exit(0);
  }
  std::string child;
  bool limited = false;
  for (int i = 0; i < 200 && !limited; ++i) {
    usleep(50'000);
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string pid = entry.path().filename();
      if (line_of(pid, "status", "PPid:\t") == std::to_string(installer)) child = pid;
    }
    if (child.empty()) continue;
    const std::string processes = line_of(child, "limits", "Max processes");  // soft, hard, unit
    limited = processes.find_first_not_of(" 0", processes.find('0')) == processes.find("processes");
    limited = limited && processes.find_first_of("123456789u") == std::string::npos;
  }
  REQUIRE(!child.empty());
  CHECK(limited);
  REQUIRE(kill(installer, SIGKILL) == 0);
  REQUIRE(waitpid(installer, nullptr, 0) == installer);
  std::string state = "R";
  for (int i = 0; i < 100 && !state.empty() && state[0] != 'Z'; ++i) {
    usleep(50'000);
    state = line_of(child, "status", "State:\t");
  }
  CHECK((state.empty() || state[0] == 'Z'));
}

TEST_CASE("sizes are limited") {
  Rig rig;
  std::string content = rig.serve("tool", big(300'000));
  rig.options.download.bytes = 299'999;
  for (std::string how : {std::string("/files/tool"), std::string("/huge"), "file://" + rig.folder + "/tool"}) {
    INFO(how);
    CHECK(rig.install({rig.component(how, content)}) == Code::component_size);
    rig.check_clean("/opt/cstl/bin/tool");
  }
  rig.options.download.bytes = 300'000;
  CHECK(rig.install({rig.component("/files/tool", content)}) == Code::ok);
  // What a small archive unpacks to.
  std::string bomb = rig.make("bomb.tgz", "truncate -s 20M zeros && tar -cz zeros");
  CHECK(bomb.size() < 100'000);
  rig.options.unpack.bytes = 10 << 20;
  CHECK(rig.install({rig.component("/files/bomb.tgz", bomb, true)}) == Code::component_size);
  CHECK(!rig.there("/opt/cni/bin"));
  std::string many = rig.make("many.tgz", "for i in 1 2 3 4 5 6; do touch $i; done && tar -cz .");
  rig.options.unpack.entries = 6;
  CHECK(rig.install({rig.component("/files/many.tgz", many, true)}) == Code::component_size);
  CHECK(!rig.there("/opt/cni/bin"));
}

TEST_CASE("archives are unpacked whole, without rights that nobody asked for, next to what others put there") {
  Rig rig;
  std::string first = rig.make(
      "first.tgz",
      "mkdir -p sub/deep && echo bridge >bridge && echo x >sub/deep/x && chmod 4777 bridge && ln -s bridge link && "
      "ln -s ../bridge sub/up && ln bridge hard && chmod 700 sub && tar -cz .");
  Component one = rig.component("/files/first.tgz", first, true);
  REQUIRE_MESSAGE(rig.install({one}) == Code::ok, rig.problem);
  CHECK(rig.told == std::vector<std::string>{"download", "verify", "unpack", "install"});
  CHECK(rig.read("/opt/cni/bin/bridge") == "bridge\n");
  CHECK(rig.read("/opt/cni/bin/link") == "bridge\n");
  CHECK(rig.read("/opt/cni/bin/sub/up") == "bridge\n");
  CHECK(rig.read("/opt/cni/bin/hard") == "bridge\n");
  struct stat mode = {};
  REQUIRE(stat((rig.options.root + "/opt/cni/bin/bridge").c_str(), &mode) == 0);
  CHECK((mode.st_mode & 07777) == 0755);
  REQUIRE(rig.install({one}) == Code::ok);
  CHECK(rig.told == std::vector<std::string>{"present"});

  // A second archive for the same folder, then a newer first one.
  REQUIRE(write_file_durably((rig.options.root + "/opt/cni/bin/agent").c_str(), Bytes("agent")).ok());
  Component two =
      rig.component("/files/second.tar", rig.make("second.tar", "echo second >second && tar -c second"), true);
  REQUIRE_MESSAGE(rig.install({one, two}) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cni/bin/second") == "second\n");
  REQUIRE(rig.install({one, two}) == Code::ok);
  CHECK(rig.told == std::vector<std::string>{"present"});
  std::string newer = rig.make("newer.tgz", "echo new >bridge && mkdir sub && echo y >sub/y && tar -cz bridge sub");
  Component three = rig.component("/files/newer.tgz", newer, true);
  REQUIRE_MESSAGE(rig.install({three, two}) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cni/bin/bridge") == "new\n");
  CHECK(rig.read("/opt/cni/bin/sub/y") == "y\n");
  CHECK(!rig.there("/opt/cni/bin/sub/deep"));
  CHECK(rig.read("/opt/cni/bin/agent") == "agent");
  CHECK(rig.read("/opt/cni/bin/second") == "second\n");
  REQUIRE_MESSAGE(rig.install({one, two}) == Code::ok, rig.problem);  // back: not taken for present
  CHECK(rig.read("/opt/cni/bin/bridge") == "bridge\n");
}

TEST_CASE("archives that would leave their folder, are cut off, or are none") {
  Rig rig;
  struct Row { const char* what; const char* script; Code code; };
  // Python writes what tar refuses to.
  const std::string python = "python3 -c \"import tarfile,io,sys\n"
                             "t=tarfile.open(fileobj=sys.stdout.buffer,mode='w|')\n"
                             "def f(n,d=b'evil',**k):\n"
                             " i=tarfile.TarInfo(n); i.size=len(d) if k.get('type',b'0')==b'0' else 0\n"
                             " [setattr(i,a,b) for a,b in k.items()]\n"
                             " t.addfile(i,io.BytesIO(d))\n";
  const Row rows[] = {
      {"..", "f('../outside')", Code::component_unsafe},
      {".. inside", "f('a/../../outside')", Code::component_unsafe},
      {"absolute", "f('/tmp/cstl-outside')", Code::component_unsafe},
      {"link out", "f('l',type=b'2',linkname='../../outside')", Code::component_unsafe},
      {"absolute link", "f('l',type=b'2',linkname='/etc')", Code::component_unsafe},
      {"through a link", "f('d',type=b'5',mode=493);f('l',type=b'2',linkname='d');f('l/x')", Code::component_unsafe},
      {"link to a later folder", "f('l',type=b'2',linkname='d');f('d/x');f('l/y')", Code::component_unsafe},
      {"a link that climbs over another", "f('a/b',type=b'2',linkname='.');f('z',type=b'2',linkname='a/b/../..')",
       Code::component_unsafe},
      {"hard link out", "f('h',type=b'1',linkname='../../../../ca.key')", Code::component_unsafe},
      {"absolute hard link", "f('h',type=b'1',linkname='/etc/hostname')", Code::component_unsafe},
      {"hard link to a link", "f('l',type=b'2',linkname='x');f('h',type=b'1',linkname='l')", Code::component_unsafe},
      {"hard link to nothing", "f('h',type=b'1',linkname='x')", Code::component_unsafe},
      {"hard link through a link", "f('d/x');f('l',type=b'2',linkname='d');f('h',type=b'1',linkname='l/x')",
       Code::component_unsafe},
      {"fifo", "f('p',type=b'6')", Code::component_unsafe},
      {"device", "f('p',type=b'3',devmajor=1,devminor=5)", Code::component_unsafe},
      {"control characters", "f('a\\nb')", Code::component_unsafe},
      {"twice", "f('a');f('a')", Code::component_archive},
      {"file over a link", "f('l',type=b'2',linkname='x');f('l')", Code::component_archive},
  };
  int number = 0;
  for (const Row& row : rows) {
    INFO(std::string(row.what));
    std::string name = "bad" + std::to_string(number++) + ".tar";
    std::string archive = rig.make(name, python + row.script + "\nt.close()\"");
    CHECK_MESSAGE(rig.install({rig.component("/files/" + name, archive, true)}) == row.code, rig.problem);
    CHECK_MESSAGE(rig.problem.find("unpack") != std::string::npos, rig.problem);
    rig.check_clean("/opt/cni/bin");
  }
  std::string good = rig.make("good.tgz", "head -c 200000 /dev/urandom >a && tar -cz a");
  const std::pair<const char*, std::string> broken[] = {
      {"cut", good.substr(0, good.size() / 2)}, {"cut early", good.substr(0, 20)},   {"empty", ""},
      {"no archive", "just text, long enough"}, {"zeros", std::string(10240, '\0')},
  };
  for (const auto& pair : broken) {
    const std::string& content = pair.second;
    INFO(std::string(pair.first));
    std::string name = "broken" + std::to_string(number++);
    rig.serve(name, content);
    CHECK_MESSAGE(rig.install({rig.component("/files/" + name, content, true)}) == Code::component_archive,
                  rig.problem);
    rig.check_clean("/opt/cni/bin");
  }
}

TEST_CASE("a full disk is no_space, and another attempt goes on") {
  Rig rig;
  std::string content = rig.serve("tool", big(600'000));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 200'000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  Code limited = rig.install({rig.component("/files/tool", content)});
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK_MESSAGE(limited == Code::no_space, rig.problem);
  rig.check_clean("/opt/cstl/bin/tool");
  CHECK(rig.install({rig.component("/files/tool", content)}) == Code::ok);
  if (geteuid() != 0) return;
  REQUIRE(make_folders(rig.options.root + "/var/lib").ok());
  if (mount("tmpfs", (rig.options.root + "/var/lib").c_str(), "tmpfs", 0, "size=256k") != 0) return;
  Component onto = rig.component("/files/tool", content);
  onto.path = "/var/lib/tool";
  CHECK(rig.install({onto}) == Code::no_space);
  CHECK_MESSAGE(rig.problem.find("No space") != std::string::npos, rig.problem);
  Component archive = rig.component("/files/a.tgz", rig.make("a.tgz", "truncate -s 1M a && tar -cz a"), true);
  archive.path = "/var/lib/unpacked";
  CHECK(rig.install({archive}) == Code::no_space);
  CHECK(!rig.there("/var/lib/unpacked"));
  umount2((rig.options.root + "/var/lib").c_str(), MNT_DETACH);
}

TEST_CASE("a bundle goes before the network, but proves nothing") {
  Rig rig;
  std::string tool = big(300'000), other = "other";
  std::vector<BundleFile> files(2);
  files[0] = {*sha256({Bytes(tool)}), tool.size(), "tool", false, 0};
  files[1] = {*sha256({Bytes(other)}), other.size(), "pause.tar", true, 0};
  std::vector<std::string> contents = {tool, other};
  if (files[1].sha256 < files[0].sha256) {
    std::swap(files[0], files[1]);
    std::swap(contents[0], contents[1]);
  }
  std::string index = bundle_index(files);
  auto entry = [](const std::string& name, const std::string& content) {
    TarHeader header = tar_header(name, content.size());
    std::string out(Bytes(header).text());
    out += content;
    out.resize(tar_padded(out.size()));
    return out;
  };
  std::string whole = entry("index.json", index);
  for (size_t i = 0; i < 2; ++i) whole += entry("sha256/" + to_hex(files[i].sha256), contents[i]);
  whole += std::string(1024, '\0');
  rig.options.bundle = rig.folder + "/bundle";
  auto store = [&](const std::string& content) {
    REQUIRE(write_file_durably(rig.options.bundle.c_str(), Bytes(content)).ok());
    std::filesystem::remove_all(rig.options.root);
  };
  Component wanted = rig.component("https://127.0.0.1:1/never", tool);
  store(whole);
  CHECK_MESSAGE(rig.install({wanted}) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cstl/bin/tool") == tool);
  store(whole + std::string(5000, 'x'));  // a disk is longer
  CHECK(rig.install({wanted}) == Code::ok);
  REQUIRE(test::run({"tar", "-tf", rig.folder + "/bundle"}));

  // One byte of the content changed: the URL is next.
  std::string bad = whole;
  bad[whole.find(tool.substr(1000, 40)) + 5] ^= 1;
  store(bad);
  CHECK(rig.install({wanted}) == Code::component_unreachable);
  rig.serve("tool", tool);
  CHECK_MESSAGE(rig.install({rig.component("/files/tool", tool)}) == Code::ok, rig.problem);
  CHECK(rig.read("/opt/cstl/bin/tool") == tool);

  // Not in the bundle: the URL too.
  store(whole);
  rig.serve("third", "third");
  CHECK(rig.install({rig.component("/files/third", "third")}) == Code::ok);

  for (size_t length : {size_t{0}, size_t{100}, size_t{512}, size_t{700}, size_t{1024}}) {
    store(whole.substr(0, length));
    CHECK(rig.install({wanted}) == Code::bundle_malformed);
  }
  store(whole.substr(0, whole.size() - 200'000));  // in the middle of a content
  CHECK(rig.install({wanted}) != Code::ok);
  for (size_t at = 0; at < 1024; at += 7) {  // any changed byte of the index and its header
    if (at >= 512 + index.size()) break;
    std::string changed = whole;
    changed[at] ^= 0x20;
    store(changed);
    (void)rig.install({wanted});
    CHECK((!rig.there("/opt/cstl/bin/tool") || rig.read("/opt/cstl/bin/tool") == tool));
  }
}
