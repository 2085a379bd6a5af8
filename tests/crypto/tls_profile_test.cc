// The ClientHello that leaves this process is the one of policy/tls/profile: no other version, suite, group, signature
// algorithm or extension (so no resumption, early data or pre-shared key either). RFC 8446, 4.1.2.
#include <doctest/doctest.h>
#include <map>
#include <sstream>
#include <sys/socket.h>

#include "crypto/tls.h"

using namespace cstl;

namespace {
using Numbers = std::vector<unsigned>;
using Profile = std::map<std::string, Numbers>;

Profile read_profile() {
  Profile out;
  Result<std::vector<uint8_t>> text = read_file("policy/tls/profile", 65536);
  REQUIRE(text.ok());
  std::stringstream lines(std::string(text->begin(), text->end()));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::stringstream words(line);
    std::string key;
    words >> key;
    Numbers& numbers = out[key];
    for (std::string word; words >> word;) numbers.push_back(static_cast<unsigned>(std::stoul(word, nullptr, 16)));
  }
  return out;
}

Numbers list_of(Result<Bytes> raw) {
  Numbers out;
  REQUIRE(raw.ok());
  Reader r(*raw);
  while (r.remaining() > 0) out.push_back(*r.u16());
  return out;
}

Profile offered(Bytes record) {
  Profile out;
  Reader r(record);
  CHECK(r.bytes(5 + 4 + 2 + 32).ok());  // record header, handshake header, legacy version, random
  CHECK(r.bytes8(32).ok());             // legacy session id
  out["suites"] = list_of(r.bytes16(64));
  CHECK(r.bytes8(1)->size() == 1);      // legacy compression
  Result<Bytes> extensions = r.bytes16(1024);
  REQUIRE(extensions.ok());
  CHECK(r.finish().ok());
  for (Reader e(*extensions); e.remaining() > 0;) {
    unsigned type = *e.u16();
    Reader body(*e.bytes16(1024));
    out["extensions"].push_back(type);
    if (type == 10) out["groups"] = list_of(body.bytes16(64));
    if (type == 13) out["signatures"] = list_of(body.bytes16(64));
    if (type == 43) out["versions"] = list_of(body.bytes8(16));
  }
  return out;
}

std::string print(const Profile& profile) {
  std::ostringstream out;
  for (const auto& [key, numbers] : profile) {
    out << key;
    for (unsigned number : numbers) out << " 0x" << std::hex << number;
    out << "\n";
  }
  return out.str();
}
}  // namespace

TEST_CASE("a ClientHello offers what policy/tls/profile says, and nothing else") {
  auto identity = TlsIdentity::create();
  REQUIRE(identity.ok());
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  Fd far(ends[1]);
  auto client = TlsSession::create(TlsSide::client, Fd(ends[0]), **identity);
  REQUIRE(client.ok());
  CHECK(*(*client)->handshake() == TlsWant::read);
  std::vector<uint8_t> record(4096);
  ssize_t size = recv(far.get(), record.data(), record.size(), MSG_DONTWAIT);
  REQUIRE(size > 0);
  CHECK(print(offered(Bytes(record).first(static_cast<size_t>(size)))) == print(read_profile()));
}
