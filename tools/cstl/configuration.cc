#include "tools/cstl/configuration.h"

#include "crypto/base/json_object.h"
#include "svc/wire/join.h"
#include "tools/cstl/workspace.h"
#include "tools/cstl/yaml.h"

namespace cstl::cli {

extern const char kCiliumValues[];  // policy/cilium/values.yaml, made by the build

namespace {
using nlohmann::json;
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxEndpoint = 256;
constexpr const char* kFirstControlPlane = "10.0.2.15:6443";  // where mini has it
constexpr int kMaxControlPlanes = 7;

constexpr const char* kKubernetesTemplate =
    "\n"
    "# Kubernetes; without this section machines form a cluster that runs nothing but our services.\n"
    "kubernetes:\n"
    "  version: v1.20.2          # of the components below, or of those in the image\n"
    "  endpoint: 10.0.2.15:6443  # of the API, as nodes reach it: the first control plane, or a load balancer\n"
    "  sans: [127.0.0.1]         # more names of the API server: mini reaches it by a port of this address\n"
    "  service_cidr: 10.96.0.0/16\n"
    "  pod_cidr: 10.244.0.0/16\n"
    "  network: wireguard        # between pods of different nodes; or cilium or none, which you install yourself\n"
    "  components: []            # what nodes fetch at first boot, if the image does not hold it:\n"
    "  # - url: https://dl.k8s.io/v1.30.2/bin/linux/amd64/kubelet   # or file:// or data:\n"
    "  #   sha256: 64 hexadecimal digits\n"
    "  #   path: /opt/cstl/bin/kubelet\n"
    "  #   archive: false        # true: unpacked into path, a folder\n"
    "kubectl: kubectl            # the program that mini asks about nodes: a path, or looked up in PATH\n";

Result<MachineSize> parse_size(const JsonObject& mini, const std::string& role, MachineSize otherwise) {
  TRY_LET(int64_t cpus, mini.number((role + "_cpus").c_str(), otherwise.cpus, 1, 64));
  TRY_LET(int64_t memory, mini.number((role + "_memory_mib").c_str(), otherwise.memory_mib, 256, 65536));
  return MachineSize{static_cast<int>(cpus), static_cast<int>(memory)};
}

Status parse_mini(const json& value, bool kubernetes, Config::Mini* out, std::string* problem) {
  JsonObject mini(value, Code::config_malformed, "mini.", problem);
  TRY(mini.members({"control_planes", "workers", "control_plane_cpus", "control_plane_memory_mib", "worker_cpus",
                    "worker_memory_mib", "disk_gib", "image", "root", "bundle", "firmware_code", "firmware_vars"}));
  // Without Kubernetes each control plane would have records of its own.
  TRY_LET(int64_t control_planes, mini.number("control_planes", 1, 1, kubernetes ? kMaxControlPlanes : 1));
  TRY_LET(int64_t workers, mini.number("workers", 1, 0, 32));
  TRY_LET(out->control_plane, parse_size(mini, "control_plane", kubernetes ? MachineSize{1, 2560} : MachineSize{}));
  TRY_LET(out->worker, parse_size(mini, "worker", kubernetes ? MachineSize{1, 1280} : MachineSize{}));
  TRY_LET(out->disk_gib, mini.number("disk_gib", kubernetes ? 8 : 4, 1, 16384));
  TRY_LET(out->image, mini.text("image", kMaxPath));
  TRY_LET(out->root, mini.optional_text("root", kMaxPath));
  TRY_LET(out->bundle, mini.optional_text("bundle", kMaxPath));
  TRY_LET(out->firmware_code, mini.text("firmware_code", kMaxPath));
  TRY_LET(out->firmware_vars, mini.text("firmware_vars", kMaxPath));
  out->control_planes = static_cast<int>(control_planes);
  out->workers = static_cast<int>(workers);
  return success();
}

// The section in the form that nodes get it, so that one parser decides about both.
Result<ClusterConfig> parse_kubernetes(const json& value, const std::string& name, bool mini, std::string* problem) {
  JsonObject section(value, Code::config_malformed, "kubernetes.", problem);
  TRY(section.members({"version", "endpoint", "sans", "service_cidr", "pod_cidr", "network", "components"}));
  TRY_LET(std::string_view version, section.text("version", 32));
  json cluster = value;
  cluster.erase("version");
  cluster["cstl"] = "cluster/1";
  cluster["name"] = name;
  cluster["kubernetes"] = version;
  if (mini && !section.has("endpoint")) cluster["endpoint"] = kFirstControlPlane;
  auto out = ClusterConfig::parse(cluster.dump(-1, ' ', true, json::error_handler_t::replace), problem);
  if (!out.ok()) *problem = "kubernetes." + *problem;
  return out;
}
}  // namespace

std::string config_path(const std::string& workspace) { return workspace + "/cstl-conf.yaml"; }

std::string config_template(const std::string& name, bool kubernetes) {
  std::string out =
      "cstl: config/1\n"
      "name: " + name + "              # of the cluster: lower-case letters, digits, dashes\n"
      "variant: qemu-vtpm         # how machines attest; see docs/attestation.md\n"
      "reference_values: reference-values.json   # what machines are compared with: cstl measure makes it\n"
      "# reference_trust: reference-trust.json    # whose signatures it must carry: cstl reference trust makes it\n"
      "\n"
      "# The init server of the first control plane, for clusters that mini does not run:\n"
      "# init_endpoint: 192.0.2.10:9000\n"
      "# init_secret_file: init-secret   # 64 hexadecimal digits; their SHA-256 stands in the machine's metadata\n";
  if (kubernetes) out += kKubernetesTemplate;
  out +=
      "\n"
      "# Local virtual machines: cstl mini up\n"
      "mini:\n";
  out += kubernetes ? "  control_planes: 1         # up to 7; an odd number, so that a majority is left when one fails\n"
                    : "  control_planes: 1         # more only with Kubernetes, which holds their records\n";
  out += "  workers: 1\n";
  out += kubernetes ? "  control_plane_cpus: 1     # more only where KVM is used: emulated processors take turns, and lose by it\n"
                      "  control_plane_memory_mib: 2560\n"
                      "  worker_cpus: 1\n"
                      "  worker_memory_mib: 1280\n"
                      "  disk_gib: 8               # of each state disk; sparse\n"
                      "  image: node.efi           # the unified kernel image that make image builds\n"
                      "  root: root.img            # and the disk with its root file system\n"
                      "# bundle: bundle.tar        # components and container images: cstl bundle create makes it\n"
                    : "  control_plane_memory_mib: 512\n"
                      "  worker_memory_mib: 512\n"
                      "  disk_gib: 4               # of each state disk; sparse\n"
                      "  image: cstl.efi           # the unified kernel image that make image builds\n";
  return out +
         "  firmware_code: OVMF_CODE.fd\n"
         "  firmware_vars: OVMF_VARS.fd\n";
}

Result<Config> parse_config(std::string_view text, std::string* problem) {
  problem->clear();
  TRY_LET(json document, parse_yaml(text, problem));
  JsonObject root(document, Code::config_malformed, "", problem);
  TRY(root.members({"cstl", "name", "variant", "reference_values", "reference_trust", "init_endpoint", "init_secret_file", "kubernetes",
                    "kubectl", "mini"}));
  TRY(root.literal("cstl", "config/1"));
  Config out;
  TRY_LET(out.name, root.text("name", kMaxNodeName));
  if (!valid_node_name(out.name)) return root.wrong("name", "must be lower-case letters, digits and dashes");
  TRY_LET(std::string_view variant_text, root.text("variant", 32));
  auto variant = variant_from_name(variant_text);
  if (!variant.ok() || !variant_implemented(*variant)) return root.wrong("variant", "is not one that this build verifies");
  out.variant = *variant;
  TRY_LET(out.reference_values, root.text("reference_values", kMaxPath));
  TRY_LET(out.reference_trust, root.optional_text("reference_trust", kMaxPath));
  TRY_LET(out.init_endpoint, root.optional_text("init_endpoint", kMaxEndpoint));
  TRY_LET(out.init_secret_file, root.optional_text("init_secret_file", kMaxPath));
  TRY_LET(out.kubectl, root.optional_text("kubectl", kMaxPath));
  if (out.kubectl.empty()) out.kubectl = "kubectl";
  if (root.has("kubernetes")) {
    TRY_LET(ClusterConfig cluster, parse_kubernetes(document["kubernetes"], out.name, root.has("mini"), problem));
    out.kubernetes = std::move(cluster);
  }
  if (root.has("mini")) TRY(parse_mini(document["mini"], out.kubernetes.has_value(), &out.mini, problem));
  if (!out.mini.image.empty() && out.kubernetes.has_value() == out.mini.root.empty()) {
    return root.wrong("mini", "needs a root disk exactly when there is a kubernetes section");
  }
  if (!out.mini.bundle.empty() && !out.kubernetes) return root.wrong("mini", "has a bundle that only Kubernetes uses");
  return out;
}

Result<Config> load_config(const std::string& workspace, std::string* problem) {
  TRY_LET(std::string text, read_text(config_path(workspace), kMaxYaml, problem));
  auto out = parse_config(text, problem);
  if (!out.ok()) *problem = config_path(workspace) + ": " + *problem;
  return out;
}

Result<std::string> cilium_values(const Config& config) {
  if (!config.kubernetes || config.kubernetes->network != PodNetwork::cilium) {
    return fail(Code::config_malformed, "config.cilium");
  }
  std::string out = kCiliumValues;
  static constexpr std::string_view kPlace = ": POD_CIDR";
  const size_t at = out.find(kPlace);
  if (at == std::string::npos) trap("config.cilium");  // the file in policy/ is ours
  return out.replace(at + 2, kPlace.size() - 2, prefix_text(config.kubernetes->pod_cidr));
}

}  // namespace cstl::cli
