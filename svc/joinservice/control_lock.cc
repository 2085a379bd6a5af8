#include "svc/joinservice/control_lock.h"

#include "crypto/base/utc.h"
#include "svc/wire/join.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr const char* kBefore = "cstl.dev/joined-before";

const Json* member(const Json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

std::string text(const Json* value) {
  return value != nullptr && value->is_string() ? value->get_ref<const std::string&>() : std::string();
}

// MicroTime, "2026-11-21T03:00:00.000000Z", to the second.
Result<int64_t> seconds_of(const std::string& micro_time) {
  size_t dot = micro_time.find('.');
  return parse_utc(dot == std::string::npos ? micro_time : micro_time.substr(0, dot) + "Z");
}

std::string micro_time(int64_t seconds) {
  std::string out = utc_text(seconds);
  if (!out.empty()) out.insert(out.size() - 1, ".000000");
  return out;
}
}  // namespace

LeaseState lease_state(const Json& lease, int64_t now) {
  LeaseState out;
  const Json* spec = member(&lease, "spec");
  out.holder = text(member(spec, "holderIdentity"));
  if (out.holder.empty()) return out;
  out.before = text(member(member(member(&lease, "metadata"), "annotations"), kBefore));
  out.seconds_left = kLeaseSeconds;
  const Json* duration = member(spec, "leaseDurationSeconds");
  auto taken = seconds_of(text(member(spec, "acquireTime")));
  if (!taken.ok() || duration == nullptr || !duration->is_number_integer()) return out;
  int64_t size = duration->get<int64_t>();
  if (size < 0 || size > kLeaseSeconds || *taken > now + kLeaseSeconds) return out;
  int64_t end = *taken + size;
  out.seconds_left = end > now ? end - now : 0;
  return out;
}

Json lease_object(const std::string& holder, const std::string& before, int64_t now, const std::string& resource_version) {
  Json metadata = {{"name", "cstl-control-plane-join"}, {"namespace", "cstl-system"}};
  if (!before.empty()) metadata["annotations"] = {{kBefore, before}};
  if (!resource_version.empty()) metadata["resourceVersion"] = resource_version;
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata", metadata},
          {"spec",
           {{"holderIdentity", holder},
            {"leaseDurationSeconds", kLeaseSeconds},
            {"acquireTime", micro_time(now)},
            {"renewTime", micro_time(now)}}}};
}

Json free_lease(const std::string& resource_version) {
  Json lease = lease_object("", "", 0, resource_version);
  lease["spec"] = Json::object();
  return lease;
}

std::string joined_mark(const Json& node) {
  return text(member(member(member(&node, "metadata"), "annotations"), kJoinedAnnotation));
}

bool node_has_joined(const Json& node, const LeaseState& lease) {
  if (text(member(member(&node, "metadata"), "name")) != lease.holder) return false;
  const std::string mark = joined_mark(node);
  return !mark.empty() && mark != lease.before;
}

}  // namespace cstl
