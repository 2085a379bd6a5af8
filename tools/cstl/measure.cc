#include "tools/cstl/measure.h"

#include <cstdlib>

#include "attest/predict/uki.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
constexpr size_t kMaxRootFile = 64 * 1024;
constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kMaxVersion = (int64_t{1} << 53) - 1;

Status add_roots(const std::vector<std::string>& paths, std::vector<std::vector<uint8_t>>* out, std::string* problem) {
  for (const std::string& path : paths) {
    *problem = path;
    auto file = read_file(path.c_str(), kMaxRootFile);
    if (!file.ok()) return fail(Code::workspace, "measure.root", file.error().origin, file.error().foreign);
    TRY_LET(auto certificates, certificates_from_file(*file));
    out->insert(out->end(), certificates.begin(), certificates.end());
  }
  return success();
}

Result<ReferenceValues> document_of(const MeasureOptions& options, ReferenceSet set, std::string* problem) {
  ReferenceValues values;
  values.name = options.name;
  values.version = options.version;
  values.expires = options.expires;
  values.sets.push_back(std::move(set));
  // What is written must load: the loader has the last word on every field.
  return ReferenceValues::parse(values.to_json(), options.not_before, problem);
}

Result<ReferenceSet> measured_set(const MeasureOptions& options, std::string* problem) {
  TRY_LET(ReferenceSet set, empty_set(options, problem));
  if (!options.image.empty()) {
    *problem = options.image;
    auto image = read_file(options.image.c_str(), kMaxUki);
    if (!image.ok()) return fail(Code::workspace, "measure.image", image.error().origin, image.error().foreign);
    if (has_tpm(set.variant)) {
      TRY_LET(set.pcrs, predict_pcrs(*image));
      if (ak_root_of(set.variant) == AkRoot::document) {
        TRY_LET(set.nitro_pcrs, predict_nitro_pcrs(*image));
      }
    } else if (has_tdx(set.variant)) {
      TRY(measure_rtmrs(*image, options, &set, problem));
    }
  }
  if (!options.firmware.empty()) {
    if (has_snp(set.variant)) TRY(measure_snp(options, &set, problem));
    if (has_tdx(set.variant)) TRY(measure_tdx(options, &set, problem));
  }
  return set;
}
}  // namespace

Result<ReferenceSet> empty_set(const MeasureOptions& options, std::string* problem) {
  ReferenceSet set;
  if (!options.base.empty()) {
    TRY_LET(std::string text, read_text(options.base, kMaxReferenceValues, problem));
    auto values = ReferenceValues::parse(text, options.not_before, problem);
    if (!values.ok()) {
      *problem = options.base + ": " + *problem;
      return values.error();
    }
    bool found = false;
    for (ReferenceSet& candidate : values->sets) {
      if (candidate.id != options.id) continue;
      set = std::move(candidate);
      found = true;
    }
    if (!found) {
      *problem = options.base + ": has no set " + options.id;
      return fail(Code::workspace, "measure.base");
    }
    if (set.variant != options.variant) {
      *problem = options.base + ": set " + options.id + " is of " + variant_name(set.variant);
      return fail(Code::workspace, "measure.base_variant");
    }
  }
  set.id = options.id;
  set.variant = options.variant;
  set.roles = options.roles;
  set.not_before = options.not_before;
  set.not_after = options.not_after;
  set.allow_unendorsed_ak = set.allow_unendorsed_ak || options.allow_unendorsed_ak;
  TRY(add_roots(options.ek_roots, &set.ek_roots, problem));
  TRY(add_roots(options.ak_roots, &set.ak_roots, problem));
  return set;
}

Result<ReferenceValues> measure_image(const MeasureOptions& options, std::string* problem) {
  TRY_LET(ReferenceSet set, measured_set(options, problem));
  return document_of(options, std::move(set), problem);
}

Result<MeasureOptions> set_options(const Arguments& arguments, std::string* problem) {
  const Error usage = fail(Code::usage, "measure");
  MeasureOptions options;
  options.id = arguments.get("id", "image");
  options.base = arguments.get("base");
  options.out = arguments.get("out");
  *problem = "--variant is unknown";
  TRY_LET(options.variant, variant_from_name(arguments.get("variant", "qemu-vtpm")));
  std::vector<std::string> roles = arguments.all("role");
  if (roles.empty()) roles = {"control-plane", "worker"};
  for (const std::string& name : roles) {
    auto role = role_from_name(name);
    *problem = "--role takes control-plane or worker";
    if (!role.ok()) return usage;
    options.roles = static_cast<uint8_t>(options.roles | 1u << static_cast<unsigned>(*role));
  }
  options.ek_roots = arguments.all("ek-root");
  options.ak_roots = arguments.all("ak-root");
  options.allow_unendorsed_ak = arguments.has("allow-unendorsed-ak");
  *problem = "--ek-root pins the TPM maker's certificate; --allow-unendorsed-ak trusts the host that runs the vTPM";
  if (options.base.empty() && ak_root_of(options.variant) == AkRoot::ek && options.ek_roots.empty() &&
      !options.allow_unendorsed_ak) {
    return usage;
  }
  *problem = "--valid-days takes 1 to 36500";
  TRY_LET(int64_t days, arguments.number("valid-days", 365, 1, 36500));
  const int64_t now = unix_now();
  options.not_before = now - kDaySeconds;
  options.not_after = now + days * kDaySeconds;
  options.name = arguments.get("name");
  *problem = "--version takes a number that grows with every published document";
  TRY_LET(options.version, arguments.number("version", 0, 1, kMaxVersion));
  *problem = "--expires-days takes 1 to 36500";
  TRY_LET(int64_t expires, arguments.number("expires-days", 0, 1, 36500));
  if (expires != 0) options.expires = now + expires * kDaySeconds;
  problem->clear();
  return options;
}

int write_values(const Context& context, const MeasureOptions& options, ReferenceSet set) {
  std::string problem;
  auto values = document_of(options, std::move(set), &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);
  std::string document = values->to_json();
  if (options.out.empty()) {
    result(context, document + "\n", nlohmann::json::parse(document, nullptr, false));
    return kExitOk;
  }
  Status stored = write_file_durably(options.out.c_str(), document, 0644);
  if (!stored.ok()) return failure(context, "writing reference values", stored.error(), options.out);
  result(context, options.out + " written: set " + options.id + ".\n", {{"path", options.out}, {"set", options.id}});
  return kExitOk;
}

namespace {
int run(const Context& context) {
  const Arguments& arguments = context.arguments;
  auto usage = [&](const std::string& why) { return failure(context, "measure", fail(Code::usage, "measure"), why); };
  std::string problem;
  auto parsed = set_options(arguments, &problem);
  if (!parsed.ok()) return usage(problem);
  MeasureOptions options = std::move(*parsed);
  options.image = arguments.get("image");
  options.disk = arguments.get("disk");
  options.firmware = arguments.get("firmware");
  options.kernel = arguments.get("kernel");
  options.initrd = arguments.get("initrd");
  options.cmdline = arguments.get("cmdline");
  options.cpu = arguments.get("cpu", "EPYC-Milan");
  options.ec2 = arguments.get("hypervisor", "qemu") == "ec2";
  if (!options.ec2 && arguments.get("hypervisor", "qemu") != "qemu") return usage("--hypervisor takes qemu or ec2");
  for (const std::string& text : arguments.all("vcpus")) {
    size_t used = text.find_first_not_of("0123456789");
    unsigned long count = text.empty() || used != std::string::npos || text.size() > 4 ? 0 : std::strtoul(text.c_str(), nullptr, 10);
    if (count == 0 || count > 4096) return usage("--vcpus takes 1 to 4096");
    options.vcpus.push_back(static_cast<unsigned>(count));
  }
  if (options.vcpus.empty()) options.vcpus = {1};
  if (options.image.empty() && options.firmware.empty()) return usage("--image names the unified kernel image, --firmware OVMF");
  if (!options.firmware.empty() && !has_snp(options.variant) && !has_tdx(options.variant)) {
    return usage("--firmware is for SEV-SNP and TDX: the firmware's PCRs depend on the machine");
  }
  if (!options.disk.empty() && (options.image.empty() || !has_tdx(options.variant) || has_tpm(options.variant))) {
    return usage("--disk goes with --image, for TDs: it is part of RTMR1");
  }
  if (options.kernel.empty() && (!options.initrd.empty() || !options.cmdline.empty())) {
    return usage("--initrd and --cmdline go with --kernel");
  }
  auto set = measured_set(options, &problem);
  if (!set.ok()) return failure(context, "measuring", set.error(), problem);
  return write_values(context, options, std::move(*set));
}
}  // namespace

const Command kMeasure = {
    "measure",
    "Compute from files alone what machines will report, as reference values.",
    "  --image FILE            unified kernel image (PE, made by ukify): PCRs, or of a TD RTMR2\n"
    "  --disk FILE             the disk (or an image of it) that a TD starts the image from: RTMR1\n"
    "  --firmware FILE         OVMF: the launch measurement of SEV-SNP, or MRTD of a TD\n"
    "  --kernel FILE, --initrd FILE, --cmdline TEXT\n"
    "                          SEV-SNP: what QEMU hands over with kernel-hashes=on (the kernel may be a UKI)\n"
    "  --vcpus N               SEV-SNP: processors of the machine; may be repeated (default: 1)\n"
    "  --cpu MODEL             SEV-SNP: QEMU's model (default: EPYC-Milan)\n"
    "  --hypervisor NAME       SEV-SNP: qemu (default) or ec2\n"
    "  --out FILE              reference values (default: standard output)\n"
    "  --id ID                 of the reference set (default: image)\n"
    "  --variant NAME          (default: qemu-vtpm)\n"
    "  --base FILE             reference values: the set with this id keeps what is not measured\n"
    "  --role ROLE             control-plane or worker; may be repeated (default: both)\n"
    "  --ek-root FILE          certificate, PEM or DER, that endorsement keys must chain to; may be repeated\n"
    "  --ak-root FILE          likewise for what certifies AKs or signs documents about them\n"
    "  --allow-unendorsed-ak   accept machines without endorsement (this trusts the host that runs their vTPM)\n"
    "  --valid-days N          (default: 365)\n"
    "  --name NAME, --version N, --expires-days N\n"
    "                          of the document: cstl reference sign wants all three\n"
    "\nPCRs 4, 9, 11 and 12 are enforced; firmware PCRs depend on the machine and are not part of the set.\n",
    {"allow-unendorsed-ak"},
    {"image", "disk", "firmware", "kernel", "initrd", "cmdline", "vcpus", "cpu", "hypervisor", "out", "id", "variant", "base",
     "role", "ek-root", "ak-root", "valid-days", "name", "version", "expires-days"},
    run};

}  // namespace cstl::cli
