#include "svc/kubernetes/access.h"

#include <cstdlib>
#include <sys/stat.h>

#include "crypto/base/fd.h"
#include "crypto/pem.h"

namespace cstl::kubernetes {

namespace {
constexpr const char* kAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";
constexpr uint16_t kApiPort = 6443;
constexpr size_t kMaxPem = 256 << 10;
constexpr size_t kMaxKey = 16 << 10;
constexpr size_t kMaxToken = 16 << 10;
constexpr size_t kMaxPath = 2048;

bool alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

void wipe_text(std::string& text) {
  wipe(MutBytes(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  text.clear();
}

}  // namespace

Result<Access> Access::in_cluster() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || *host == '\0' || *port == '\0') {
    return fail(Code::not_found, "kubernetes.service_host");
  }
  std::string name = host;
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  Access access;
  TRY_LET(access.server, checked_server("https://" + name + ":" + port));
  access.ca_file = std::string(kAccount) + "ca.crt";
  access.token_file = std::string(kAccount) + "token";
  return access;
}

void Access::prefer(const Endpoint& endpoint) {
  more_servers.insert(more_servers.begin(), std::move(server));
  server = "https://" + endpoint_text(endpoint);
}

Status Access::prefer_node(std::string_view address) {
  TRY_LET(const IpAddress parsed, parse_ip(address));
  prefer(Endpoint{parsed, kApiPort});
  return success();
}

Access Access::with_certificate(std::string server, std::string ca, std::string certificate, std::string key) {
  Access access;
  access.server = std::move(server);
  access.ca_file = std::move(ca);
  access.certificate_file = std::move(certificate);
  access.key_file = std::move(key);
  return access;
}

Access Access::with_token(std::string server, std::string ca, std::string token_file) {
  Access access;
  access.server = std::move(server);
  access.ca_file = std::move(ca);
  access.token_file = std::move(token_file);
  return access;
}

Result<std::string> checked_server(std::string_view server) {
  constexpr std::string_view kScheme = "https://";
  if (server.substr(0, kScheme.size()) != kScheme) return fail(Code::bad_value, "kubernetes.server");
  if (server.back() == '/') server.remove_suffix(1);
  if (server.size() <= kScheme.size() || server.size() > 300) return fail(Code::bad_value, "kubernetes.server");
  for (char c : server.substr(kScheme.size())) {
    if (!alphanumeric(c) && !one_of(c, ".-:[]")) return fail(Code::bad_value, "kubernetes.server");
  }
  return std::string(server);
}

Status check_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || path[0] != '/') return fail(Code::bad_value, "kubernetes.path");
  for (char c : path) {
    if (!alphanumeric(c) && !one_of(c, "-._~!$&'()*+,;=:@%/?")) return fail(Code::bad_value, "kubernetes.path");
  }
  std::string_view rest = path.substr(0, path.find('?'));
  while (!rest.empty()) {  // no empty segment, no "." and ".."
    rest.remove_prefix(1);
    std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return fail(Code::bad_value, "kubernetes.path");
    rest.remove_prefix(segment.size());
  }
  return success();
}

std::string path_segment(std::string_view name) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  bool dots = name == "." || name == "..";
  std::string out;
  for (char c : name) {
    if (alphanumeric(c) || c == '-' || c == '_' || c == '~' || (c == '.' && !dots)) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<Identity> read_identity(const Access& access) {
  Identity identity;
  TRY_LET(identity.ca, read_file(access.ca_file.c_str(), kMaxPem));
  identity.ca.push_back(0);
  TRY(check_pem_certificates(identity.ca));
  if (access.certificate_file.empty()) return identity;
  TRY_LET(identity.certificate, read_file(access.certificate_file.c_str(), kMaxPem));
  identity.certificate.push_back(0);
  TRY_LET(std::vector<uint8_t> key, read_file(access.key_file.c_str(), kMaxKey));
  identity.key = std::make_unique<SecretBuffer>(key.size() + 1);
  if (!key.empty()) std::memcpy(identity.key->space().data(), key.data(), key.size());
  wipe(MutBytes(key));
  TRY(check_pem_pair(identity.certificate, identity.key->declassify()));
  return identity;
}

TokenFile::~TokenFile() { wipe_text(token_); }

Result<std::string> TokenFile::current() {
  if (path_.empty()) return std::string();
  struct stat now = {};
  if (stat(path_.c_str(), &now) != 0) return fail_errno("kubernetes.token");
  int64_t changed = static_cast<int64_t>(now.st_mtim.tv_sec) * 1'000'000'000 + now.st_mtim.tv_nsec;
  if (changed != read_at_ || now.st_ino != inode_ || now.st_size != size_) {
    TRY(read());
    read_at_ = changed;
    inode_ = now.st_ino;
    size_ = now.st_size;
  }
  return token_;
}

bool TokenFile::reload() {
  if (path_.empty()) return false;
  std::string before = token_;
  bool changed = read().ok() && !ct_equal(before, token_);
  wipe_text(before);
  return changed;
}

Status TokenFile::read() {
  TRY_LET(std::vector<uint8_t> raw, read_file(path_.c_str(), kMaxToken));
  std::string_view text = Bytes(raw).text();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  Status good = text.empty() ? fail(Code::bad_value, "kubernetes.token") : success();
  for (char c : text) {
    // Nothing else can stand in a header (RFC 6750, section 2.1).
    if (!alphanumeric(c) && !one_of(c, "-._~+/=")) good = fail(Code::bad_value, "kubernetes.token");
  }
  if (good.ok()) {
    wipe_text(token_);
    token_ = text;
  }
  wipe(MutBytes(raw));
  return good;
}

}  // namespace cstl::kubernetes
