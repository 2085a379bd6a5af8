#include "boot/bootstrapper/admission.h"

#include "boot/cluster/config.h"
#include "boot/kubernetes/join.h"

namespace cstl {
namespace {

// Parsed to refuse early what the joinservice would refuse when it starts; the text is kept as the owner wrote it.
Status check_reference_values(Bytes json, int64_t now, std::string* problem) {
  auto parsed = ReferenceValues::parse(json.text(), now, problem);
  if (!parsed) return parsed.error();
  return success();
}

NodeState node_of(const Metadata& metadata) {
  NodeState node;
  node.name = metadata.name;
  node.role = metadata.role;
  node.variant = metadata.variant;
  return node;
}

}  // namespace

Result<Admission> Admission::from_init(const InitRequest& request, const Metadata& metadata, const Uuid& disk,
                                       int64_t now, std::string* problem) {
  TRY(check_reference_values(request.reference_values, now, problem));
  Admission out;
  out.node = node_of(metadata);
  if (!request.cluster.empty()) {
    TRY(ClusterConfig::parse(request.cluster.text(), problem));
    out.node.kubernetes = true;
    out.cluster = std::string(request.cluster.text());
  }
  out.node.measurement_salt = request.measurement_salt;
  out.node.owner_key = request.owner_key;
  TRY_LET(Key32 measurement, derive_key(request.master, KeyClass::cluster_measurement, ""));
  TRY_LET(out.node.cluster_id, derive_cluster_id(measurement, request.measurement_salt));
  TRY_LET(out.disk_key, derive_key(request.master, KeyClass::disk, uuid_text(disk)));
  out.master = MasterSecret{request.master.key.clone(), request.master.salt.clone()};
  out.reference_values = std::string(request.reference_values.text());
  return out;
}

Result<Admission> Admission::from_ticket(const JoinTicket& ticket, const Metadata& metadata, std::string* problem) {
  bool control_plane = metadata.role == Role::control_plane;
  if (control_plane && !ticket.kubernetes) {
    if (problem) *problem = "the ticket is one of another role";
    return fail(Code::bad_value, "ticket.role");
  }
  Admission out;
  out.node = node_of(metadata);
  if (ticket.kubernetes) {
    auto checked = kubernetes::check_kubernetes_ticket(*ticket.kubernetes, metadata.role);
    if (!checked) {
      if (problem) *problem = "the part for Kubernetes is not acceptable";
      return checked.error();
    }
    out.node.kubernetes = true;
    TRY_LET(SecretBuffer encoded, ticket.encode());
    out.ticket = std::move(encoded);
  }
  out.node.measurement_salt = ticket.measurement_salt;
  out.node.owner_key = ticket.owner_key;
  TRY_LET(out.node.cluster_id, derive_cluster_id(ticket.measurement_key, ticket.measurement_salt));
  out.disk_key = ticket.disk_key.clone();
  return out;
}

Status enter_cluster(const Admission& admission, const Places& places, NodeLock& lock, Platform& platform,
                     Monitor& monitor, const Progress& progress, const std::function<Status()>& before_seal) {
  progress("taking the node lock");
  TRY(lock.take(platform, admission.node.cluster_id));
  if (admission.master && !admission.node.kubernetes) {
    progress("writing the control plane's records");
    TRY(write_control_plane_store(admission, places));
  }
  progress("writing the node state");
  TRY(admission.node.store(places.node_state().c_str()));
  if (before_seal) TRY(before_seal());
  progress("re-keying the state disk");
  TRY(monitor.rekey(admission.disk_key, admission.node.owner_key));
  progress("completing the node lock");
  return lock.complete();
}

}  // namespace cstl
