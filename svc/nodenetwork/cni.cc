#include "svc/nodenetwork/cni.h"

#include "crypto/base/fd.h"
#include "crypto/base/json.h"

namespace cstl {

namespace {
constexpr size_t kMaxFile = 64 * 1024;
constexpr mode_t kReadable = 0644;
}  // namespace

std::string cni_text(const PodRange& own, uint32_t mtu) {
  using Json = nlohmann::ordered_json;
  Json ipam;
  ipam["type"] = "host-local";
  ipam["ranges"] = Json::array({Json::array({Json{{"subnet", range_text(own)}}})});
  ipam["dataDir"] = "/run/cstl/cni";
  Json bridge;
  bridge["type"] = "bridge";
  bridge["bridge"] = "cni0";
  bridge["isDefaultGateway"] = true;
  bridge["ipMasq"] = false;
  bridge["hairpinMode"] = true;
  bridge["mtu"] = mtu;
  bridge["ipam"] = ipam;
  Json portmap;
  portmap["type"] = "portmap";
  portmap["capabilities"] = Json{{"portMappings", true}};
  Json out;
  out["cniVersion"] = "0.4.0";
  out["name"] = "cstl";
  out["plugins"] = Json::array({bridge, portmap});
  return out.dump(2) + "\n";
}

Result<bool> write_cni(const std::string& folder, const std::string& text) {
  const std::string path = folder + "/" + kCniFile;
  auto present = read_file(path.c_str(), kMaxFile);
  if (present.ok() && Bytes(*present).text() == text) return false;
  TRY(write_file_durably(path.c_str(), text, kReadable));
  return true;
}

}  // namespace cstl
