#include "tests/harness/nitro_tpm.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "attest/aws/cbor.h"
#include "crypto/base/fd.h"

namespace cstl::test {

namespace {
constexpr uint16_t kNoSessions = 0x8001, kSessions = 0x8002;
constexpr uint32_t kUndefine = 0x122, kDefine = 0x12a, kWrite = 0x137, kRead = 0x14e, kReadPublic = 0x169;
constexpr uint32_t kNsmRequest = 0x20000001;
constexpr uint32_t kPassword = 0x40000009;
constexpr uint32_t kAuthFail = 0x98e, kBadHandle = 0x18b, kNvDefined = 0x14c, kUninitialized = 0x14a, kNvRange = 0x146,
                   kInsufficient = 0x9a, kAuthType = 0x124;
constexpr uint32_t kWritten = 1u << 29, kAuthRead = 1u << 18, kAuthWrite = 1u << 2;
constexpr size_t kSwtpmIndex = 2048, kMaxBuffer = 1024, kMaxCommand = 4096;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "nitro_tpm: %s: errno %d\n", what, errno);
  std::abort();
}

struct Index {
  std::vector<uint8_t> auth, area, data;  // area: TPMS_NV_PUBLIC
  uint32_t attributes = 0;
  bool written = false;
};

// What a command is refused with, or its response parameters.
struct Outcome {
  uint32_t code = 0;
  std::vector<uint8_t> parameters;
};

Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  return fd;
}

// A command or a response; empty at the end of the connection.
std::vector<uint8_t> receive(int fd) {
  std::vector<uint8_t> out(10);
  if (!read_exact(fd, out).ok()) return {};
  const size_t size = size_t{out[2]} << 24 | size_t{out[3]} << 16 | size_t{out[4]} << 8 | out[5];
  if (size < 10 || size > kMaxCommand) give_up("length");
  out.resize(size);
  if (!read_exact(fd, MutBytes(out.data() + 10, size - 10)).ok()) return {};
  return out;
}

void put(std::vector<uint8_t>& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
void put16(std::vector<uint8_t>& out, Bytes bytes) {
  put(out, bytes.size(), 2);
  out.insert(out.end(), bytes.data(), bytes.data() + bytes.size());
}
void put_text(std::vector<uint8_t>& out, const std::string& text) {
  out.push_back(static_cast<uint8_t>(0x60 | text.size()));
  out.insert(out.end(), text.begin(), text.end());
}
}  // namespace

struct NitroTpm::State {
  std::string folder, backend;
  const NitroHypervisor* hypervisor = nullptr;
  NitroHypervisor::Facts facts;
  NitroTpmFaults faults;
  std::map<uint32_t, Index> indices;
  Request request;
  Fd listener, stop_read, stop_write;
  std::thread thread;
  mutable std::mutex lock;

  // The one authorisation of a command: a password.
  static Result<Bytes> take_password(Reader& r) {
    TRY_LET(uint32_t size, r.u32());
    TRY_LET(Bytes area, r.bytes(size));
    Reader a(area);
    TRY_LET(uint32_t handle, a.u32());
    TRY_LET(Bytes nonce, a.bytes16(64));
    TRY_LET(uint8_t attributes, a.u8());
    (void)attributes;
    TRY_LET(Bytes password, a.bytes16(64));
    TRY(a.finish());
    if (handle != kPassword || !nonce.empty()) return fail(Code::denied, "nitro.session");
    return password;
  }

  Result<Outcome> define(Reader& r) {
    TRY_LET(uint32_t owner, r.u32());
    (void)owner;
    TRY_LET(Bytes password, take_password(r));
    if (!password.empty()) return Outcome{kAuthFail, {}};
    TRY_LET(Bytes auth, r.bytes16(64));
    TRY_LET(Bytes area, r.bytes16(128));
    TRY(r.finish());
    Reader a(area);
    TRY_LET(uint32_t handle, a.u32());
    TRY_LET(uint16_t algorithm, a.u16());
    (void)algorithm;
    TRY_LET(uint32_t attributes, a.u32());
    TRY_LET(Bytes policy, a.bytes16(64));
    (void)policy;
    TRY_LET(uint16_t size, a.u16());
    TRY(a.finish());
    if (faults.define_code != 0) return Outcome{faults.define_code, {}};
    if (indices.count(handle) != 0) return Outcome{kNvDefined, {}};
    indices[handle] = Index{auth.copy(), area.copy(), std::vector<uint8_t>(size, 0xff), attributes, false};
    return Outcome{};
  }

  Result<Outcome> read_public(Reader& r) const {
    TRY_LET(uint32_t handle, r.u32());
    TRY(r.finish());
    const Index& index = indices.at(handle);
    std::vector<uint8_t> area = index.area;
    if (index.written) area[6] |= static_cast<uint8_t>(kWritten >> 24);
    TRY_LET(Digest32 digest, sha256({area}));
    std::vector<uint8_t> name{area[4], area[5]};
    name.insert(name.end(), digest.begin(), digest.end());
    Outcome out;
    put16(out.parameters, area);
    put16(out.parameters, name);
    return out;
  }

  // Write, read, undefine and the vendor's: an authorising handle, the index, the index's own or the owner's password.
  Result<Outcome> use(uint32_t command, Reader& r) {
    TRY_LET(uint32_t authority, r.u32());
    TRY_LET(uint32_t handle, r.u32());
    TRY_LET(Bytes password, take_password(r));
    auto at = indices.find(handle);
    if (at == indices.end()) return Outcome{kBadHandle, {}};
    Index& index = at->second;
    const std::vector<uint8_t> wanted = authority == handle ? index.auth : std::vector<uint8_t>();
    if (Bytes(password).copy() != wanted) return Outcome{kAuthFail, {}};
    if (command == kUndefine) {
      TRY(r.finish());
      indices.erase(at);
      return Outcome{};
    }
    if (authority != handle || (index.attributes & (kAuthRead | kAuthWrite)) != (kAuthRead | kAuthWrite)) {
      return Outcome{kAuthType, {}};
    }
    if (command == kWrite) return write(index, r);
    if (!index.written) return Outcome{kUninitialized, {}};
    if (command == kRead) return read(index, r);
    TRY(r.finish());
    return answer(index);
  }

  Result<Outcome> write(Index& index, Reader& r) {
    TRY_LET(Bytes data, r.bytes16(kMaxBuffer));
    TRY_LET(uint16_t offset, r.u16());
    TRY(r.finish());
    if (offset + data.size() > index.data.size()) return Outcome{kNvRange, {}};
    std::copy(data.data(), data.data() + data.size(), index.data.begin() + offset);
    index.written = true;
    request.largest_write = std::max(request.largest_write, data.size());
    return Outcome{};
  }

  static Result<Outcome> read(const Index& index, Reader& r) {
    TRY_LET(uint16_t size, r.u16());
    TRY_LET(uint16_t offset, r.u16());
    TRY(r.finish());
    if (size > kMaxBuffer || size_t{offset} + size > index.data.size()) return Outcome{kNvRange, {}};
    Outcome out;
    put16(out.parameters, Bytes(index.data).skip(offset).first(size));
    return out;
  }

  // The Nitro secure module's API: {"Attestation": {"user_data", "nonce", "public_key"}}.
  Result<Outcome> answer(Index& index) {
    if (faults.request_code != 0) return Outcome{faults.request_code, {}};
    aws::CborReader r(index.data, Code::document_malformed);
    TRY_LET(uint64_t outer, r.take_map("nsm"));
    TRY_LET(std::string_view kind, r.take_text(32, "nsm"));
    TRY_LET(uint64_t inner, r.take_map("nsm"));
    if (outer != 1 || kind != "Attestation" || inner != 3) return fail(Code::document_malformed, "nsm");
    for (const char* name : {"user_data", "nonce", "public_key"}) {
      TRY_LET(std::string_view member, r.take_text(32, "nsm"));
      if (member != name) return fail(Code::document_malformed, "nsm");
      if (r.take_null()) continue;
      TRY_LET(Bytes value, r.take_bytes(1024, "nsm"));
      if (member == "user_data") facts.user_data = value.copy();
      if (member == "nonce") facts.nonce = value.copy();
    }
    request.encoded = Bytes(index.data).first(index.data.size() - r.remaining()).copy();
    request.nonce = facts.nonce;
    request.user_data = facts.user_data;
    std::vector<uint8_t> out{0xa1};
    if (!faults.answer.empty()) {
      out = faults.answer;
    } else if (!faults.refusal.empty()) {
      put_text(out, "Error");
      put_text(out, faults.refusal);
    } else {
      const std::vector<uint8_t> document = hypervisor->document(facts);
      put_text(out, "Attestation");
      out.push_back(0xa1);
      put_text(out, "document");
      out.push_back(0x59);
      put16(out, document);
    }
    if (out.size() > index.data.size()) return Outcome{kNvRange, {}};
    std::fill(index.data.begin(), index.data.end(), uint8_t{0xff});
    std::copy(out.begin(), out.end(), index.data.begin());
    return Outcome{};
  }

  // Nothing: swtpm's affair.
  Result<std::vector<uint8_t>> ours(Bytes command) {
    Reader r(command);
    TRY_LET(uint16_t tag, r.u16());
    TRY_LET(uint32_t size, r.u32());
    TRY_LET(uint32_t code, r.u32());
    if (size != command.size()) give_up("size");
    Outcome outcome;
    if (code == kDefine && tag == kSessions && size_t{command[size - 2]} << 8 >= kSwtpmIndex) {
      TRY_LET(outcome, define(r));
    } else if (code == kReadPublic && tag == kNoSessions && indices.count(handle_at(command, 10)) != 0) {
      TRY_LET(outcome, read_public(r));
    } else if (tag == kSessions && (code == kNsmRequest || ((code == kWrite || code == kRead || code == kUndefine) &&
                                                           indices.count(handle_at(command, 14)) != 0))) {
      TRY_LET(outcome, use(code, r));
    } else {
      return std::vector<uint8_t>();
    }
    std::vector<uint8_t> out;
    put(out, outcome.code == 0 ? tag : kNoSessions, 2);
    put(out, 0, 4);
    put(out, outcome.code, 4);
    if (outcome.code == 0) {
      if (tag == kSessions) put(out, outcome.parameters.size(), 4);
      out.insert(out.end(), outcome.parameters.begin(), outcome.parameters.end());
      if (tag == kSessions) put(out, 0x0000010000, 5);  // the password's answer: no nonce, continues, no HMAC
    }
    const size_t announced = out.size() + (faults.cut_response && code == kNsmRequest ? 1 : 0);
    for (int i = 0; i < 4; ++i) out[2 + i] = static_cast<uint8_t>(announced >> (24 - 8 * i));
    return out;
  }

  static uint32_t handle_at(Bytes command, size_t at) {
    Reader r(command.skip(at));
    auto handle = r.u32();
    return handle.ok() ? *handle : 0;
  }

  std::vector<uint8_t> respond(const std::vector<uint8_t>& command) {
    {
      std::lock_guard<std::mutex> hold(lock);
      auto own = ours(command);
      if (!own.ok()) return {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, kInsufficient};
      if (!own->empty()) return *own;
    }
    Fd tpm = connect_to(backend);
    if (!write_all(tpm.get(), command).ok()) give_up("swtpm");
    return receive(tpm.get());
  }

  void serve() {
    for (;;) {
      pollfd ready[] = {{listener.get(), POLLIN, 0}, {stop_read.get(), POLLIN, 0}};
      if (poll(ready, 2, -1) < 0) continue;
      if (ready[1].revents != 0) return;
      Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      for (std::vector<uint8_t> command; client.valid() && !(command = receive(client.get())).empty();) {
        const std::vector<uint8_t> response = respond(command);
        if (!write_all(client.get(), response).ok()) break;
        if (response[5] != (response.size() & 0xff)) break;  // the cut one
      }
    }
  }
};

NitroTpm::NitroTpm(Swtpm& tpm, const NitroHypervisor& hypervisor, NitroHypervisor::Facts facts)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  char pattern[] = "/tmp/cstl-nitro-XXXXXX";
  if (mkdtemp(pattern) == nullptr) give_up("no temporary folder");
  s.folder = pattern;
  s.backend = tpm.folder() + "/tpm";
  s.hypervisor = &hypervisor;
  s.facts = std::move(facts);
  s.listener = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/tpm", s.folder.c_str());
  if (bind(s.listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("bind");
  if (listen(s.listener.get(), 8) != 0) give_up("listen");
  int ends[2];
  if (pipe(ends) != 0) give_up("pipe");
  s.stop_read = Fd(ends[0]);
  s.stop_write = Fd(ends[1]);
  s.thread = std::thread([&s] { s.serve(); });
}

NitroTpm::~NitroTpm() {
  State& s = *state_;
  s.stop_write = Fd();
  s.thread.join();
  (void)unlink((s.folder + "/tpm").c_str());
  (void)rmdir(s.folder.c_str());
}

// A connection per command, as tests share swtpm.
std::string NitroTpm::device() const { return "swtpm:path=" + state_->folder + "/tpm"; }

void NitroTpm::behave(const NitroTpmFaults& faults) {
  std::lock_guard<std::mutex> hold(state_->lock);
  state_->faults = faults;
}

size_t NitroTpm::indices() const {
  std::lock_guard<std::mutex> hold(state_->lock);
  return state_->indices.size();
}

NitroTpm::Request NitroTpm::last() const {
  std::lock_guard<std::mutex> hold(state_->lock);
  return state_->request;
}

}  // namespace cstl::test
