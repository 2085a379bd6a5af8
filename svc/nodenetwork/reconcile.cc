#include "svc/nodenetwork/reconcile.h"

#include "crypto/base/fd.h"
#include "svc/nodenetwork/cni.h"

namespace cstl {

Result<Round> Reconciler::run(const Inventory& inventory) {
  Round out;
  out.state = inventory.desired(name_, range_);
  if (!out.state.own) return out;
  TRY_LET(out.applied, network_.apply(out.state, key_));
  out.key_differs = network_.key() != out.state.own->key;
  TRY_LET(out.cni_written, write_cni(cni_folder_, cni_text(out.state.own->pods, out.applied.mtu)));
  return out;
}

Status check_settings(std::string* problem) {
  constexpr size_t kMaxSetting = 32;
  for (const char* name : {"conf/all/rp_filter", "ip_forward"}) {
    *problem = name;
    const std::string path = std::string("/proc/sys/net/ipv4/") + name;
    TRY_LET(std::vector<uint8_t> value, read_file(path.c_str(), kMaxSetting));
    if (Bytes(value).text() != "1\n") return fail(Code::mismatch, "nodenetwork.setting");
  }
  problem->clear();
  return success();
}

}  // namespace cstl
