#include "tools/cstl/measure.h"

#include "attest/predict/uki.h"
#include "crypto/base/fd.h"
#include "crypto/x509.h"
#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
constexpr size_t kMaxRootFile = 64 * 1024;
constexpr int64_t kDaySeconds = 86400;
}  // namespace

Result<ReferenceValues> measure_image(const MeasureOptions& options, std::string* problem) {
  ReferenceSet set;
  set.id = options.id;
  set.variant = options.variant;
  set.roles = options.roles;
  set.not_before = options.not_before;
  set.not_after = options.not_after;
  set.allow_unendorsed_ak = options.allow_unendorsed_ak;
  for (const std::string& path : options.ek_roots) {
    *problem = path;
    auto file = read_file(path.c_str(), kMaxRootFile);
    if (!file.ok()) return fail(Code::workspace, "measure.ek_root", file.error().origin, file.error().foreign);
    TRY_LET(auto certificates, certificates_from_file(*file));
    set.ek_roots.insert(set.ek_roots.end(), certificates.begin(), certificates.end());
  }
  *problem = options.image;
  auto image = read_file(options.image.c_str(), kMaxUki);
  if (!image.ok()) return fail(Code::workspace, "measure.image", image.error().origin, image.error().foreign);
  TRY_LET(set.pcrs, predict_pcrs(*image));
  ReferenceValues values;
  values.sets.push_back(std::move(set));
  // What is written must load: the loader has the last word on every field.
  return ReferenceValues::parse(values.to_json(), options.not_before, problem);
}

namespace {
int run(const Context& context) {
  const Arguments& arguments = context.arguments;
  auto usage = [&](const char* why) { return failure(context, "measure", fail(Code::usage, "measure"), why); };
  MeasureOptions options;
  options.image = arguments.get("image");
  if (options.image.empty()) return usage("--image names the unified kernel image");
  options.id = arguments.get("id", "image");
  auto variant = variant_from_name(arguments.get("variant", "qemu-vtpm"));
  if (!variant.ok()) return usage("--variant is unknown");
  options.variant = *variant;
  std::vector<std::string> roles = arguments.all("role");
  if (roles.empty()) roles = {"control-plane", "worker"};
  for (const std::string& name : roles) {
    auto role = role_from_name(name);
    if (!role.ok()) return usage("--role takes control-plane or worker");
    options.roles = static_cast<uint8_t>(options.roles | 1u << static_cast<unsigned>(*role));
  }
  options.ek_roots = arguments.all("ek-root");
  options.allow_unendorsed_ak = arguments.has("allow-unendorsed-ak");
  if (options.ek_roots.empty() && !options.allow_unendorsed_ak) {
    return usage("--ek-root pins the TPM maker's certificate; --allow-unendorsed-ak trusts the host that runs the vTPM");
  }
  auto days = arguments.number("valid-days", 365, 1, 36500);
  if (!days.ok()) return usage("--valid-days takes 1 to 36500");
  options.not_before = unix_now() - kDaySeconds;
  options.not_after = unix_now() + *days * kDaySeconds;

  std::string problem;
  auto values = measure_image(options, &problem);
  if (!values.ok()) return failure(context, "measuring the image", values.error(), problem);
  std::string document = values->to_json();
  std::string out = arguments.get("out");
  if (out.empty()) {
    result(context, document + "\n", nlohmann::json::parse(document, nullptr, false));
    return kExitOk;
  }
  Status stored = write_file_durably(out.c_str(), document, 0644);
  if (!stored.ok()) return failure(context, "writing reference values", stored.error(), out);
  result(context, out + " written: set " + options.id + ".\n", {{"path", out}, {"set", options.id}});
  return kExitOk;
}
}  // namespace

const Command kMeasure = {
    "measure",
    "Compute the expected PCR values of a unified kernel image, from its file alone, as reference values.",
    "  --image FILE            the image (PE, made by ukify)\n"
    "  --out FILE              reference values (default: standard output)\n"
    "  --id ID                 of the reference set (default: image)\n"
    "  --variant NAME          (default: qemu-vtpm)\n"
    "  --role ROLE             control-plane or worker; may be repeated (default: both)\n"
    "  --ek-root FILE          certificate, PEM or DER, that endorsement keys must chain to; may be repeated\n"
    "  --allow-unendorsed-ak   accept machines without endorsement (this trusts the host that runs their vTPM)\n"
    "  --valid-days N          (default: 365)\n"
    "\nPCRs 4, 9, 11 and 12 are enforced; firmware PCRs depend on the machine and are not part of the set.\n",
    {"allow-unendorsed-ak"},
    {"image", "out", "id", "variant", "role", "ek-root", "valid-days"},
    run};

}  // namespace cstl::cli
