#include "tools/cstl/kubeconfig.h"

#include "crypto/base/fd.h"

namespace cstl::cli {

namespace {
constexpr std::string_view kKey = "server:";

struct Span {
  size_t begin = 0, end = 0;
};

// What follows the one "server:" that begins a line, up to the end of that line.
Result<Span> find_server(std::string_view text) {
  Span out;
  int seen = 0;
  for (size_t line = 0; line < text.size();) {
    size_t end = text.find('\n', line);
    if (end == std::string_view::npos) end = text.size();
    size_t word = text.find_first_not_of(" -", line);
    if (word < end && text.substr(word, kKey.size()) == kKey) {
      out = {word + kKey.size(), end};
      ++seen;
    }
    line = end + 1;
  }
  if (seen != 1) return fail(Code::bad_value, "kubeconfig.server");
  return out;
}
}  // namespace

std::string kubeconfig_path(const std::string& workspace) { return workspace + "/cstl-admin.conf"; }

Result<SecretBuffer> readdress_kubeconfig(Bytes kubeconfig, const std::string& server) {
  std::string_view text = kubeconfig.text();
  TRY_LET(Span place, find_server(text));
  SecretBuffer buffer(place.begin + 1 + server.size() + text.size() - place.end);
  Writer out(buffer.space());
  out.bytes(text.substr(0, place.begin));
  out.bytes(" ");
  out.bytes(server);
  out.bytes(text.substr(place.end));
  TRY(out.finish());
  return buffer;
}

Status store_kubeconfig(const std::string& workspace, Bytes kubeconfig, const std::string& server) {
  std::string path = kubeconfig_path(workspace);
  if (server.empty()) {
    TRY(find_server(kubeconfig.text()));
    return write_file_durably(path.c_str(), kubeconfig, 0600);
  }
  TRY_LET(SecretBuffer changed, readdress_kubeconfig(kubeconfig, server));
  return write_file_durably(path.c_str(), changed.declassify(), 0600);
}

}  // namespace cstl::cli
