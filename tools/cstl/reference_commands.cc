#include <unistd.h>

#include "attest/exchange/measurements.h"
#include "crypto/base/fd.h"
#include "crypto/key_file.h"
#include "crypto/x509.h"
#include "tools/cstl/command.h"
#include "tools/cstl/measure.h"
#include "tools/cstl/reference.h"
#include "tools/cstl/workspace.h"
#include "tools/cstl/yaml.h"

namespace cstl::cli {

namespace {
using nlohmann::json;

int usage(const Context& context, const char* what, const std::string& why) {
  return failure(context, what, fail(Code::usage, "reference"), why);
}

Result<PublicKey> load_public_key(const std::string& path, std::string* problem) {
  TRY_LET(std::string text, read_text(path, kMaxKeyFile, problem));
  auto key = p256_key_from_pem(Bytes(text));
  if (!key.ok()) *problem = path + ": is not a P-256 public key (PEM)";
  return key;
}

int keygen(const Context& context) {
  std::string out = context.arguments.get("out");
  if (out.empty()) return usage(context, "reference keygen", "--out names the key: NAME.key and NAME.pub are written");
  std::string secret = out + ".key", open = out + ".pub";
  if (access(secret.c_str(), F_OK) == 0) {
    return failure(context, "reference keygen", fail(Code::exists, "keygen"), secret + " is there and is never overwritten");
  }
  auto key = SigningKey::generate();
  auto pem = key.ok() ? signing_key_pem(*key) : Result<SecretBuffer>(key.error());
  if (!pem.ok()) return failure(context, "making a key", pem.error());
  Bytes text = pem->declassify();
  while (!text.empty() && text[text.size() - 1] == 0) text = text.first(text.size() - 1);
  Status stored = write_file_durably(secret.c_str(), text, 0600);
  std::string shown = public_key_pem(key->point());
  if (stored.ok()) stored = write_file_durably(open.c_str(), Bytes(shown), 0644);
  if (!stored.ok()) return failure(context, "writing a key", stored.error(), out);
  auto half = parse_public_key(p256_spki(key->point()));
  auto id = half.ok() ? signer_id(*half) : Result<std::string>(half.error());
  if (!id.ok()) return failure(context, "making a key", id.error());
  result(context, secret + " (keep it secret) and " + open + " written: key " + *id + ".\n",
         {{"key", secret}, {"public", open}, {"id", *id}});
  return kExitOk;
}

int sign(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::string problem;
  if (!arguments.has("key") || arguments.positional().size() != 1) {
    return usage(context, "reference sign", "--key KEY.key FILE");
  }
  const std::string& path = arguments.positional()[0];
  auto key = load_signing_key(arguments.get("key"), &problem);
  if (!key.ok()) return failure(context, "reading the key", key.error(), problem);
  auto document = read_text(path, kMaxReferenceValues, &problem);
  if (!document.ok()) return failure(context, "reading reference values", document.error(), problem);
  // What nobody could use is not signed.
  auto values = ReferenceValues::parse(*document, unix_now(), &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), path + ": " + problem);
  if (values->name.empty() || values->version == 0 || values->expires == 0) {
    return failure(context, "reference values", fail(Code::reference_malformed, "sign.heading"),
                   path + ": a signed document needs a name, a version and a time at which it expires");
  }
  auto half = parse_public_key(p256_spki(key->point()));
  auto id = half.ok() ? signer_id(*half) : Result<std::string>(half.error());
  auto text = sign_document(Bytes(*document), *key);
  if (!id.ok() || !text.ok()) return failure(context, "signing", id.ok() ? text.error() : id.error());
  std::string out = path + "." + *id + ".sig";
  Status stored = write_file_durably(out.c_str(), Bytes(*text), 0644);
  if (!stored.ok()) return failure(context, "writing the signature", stored.error(), out);
  result(context, out + " written: " + values->name + " version " + std::to_string(values->version) + ".\n",
         {{"path", out}, {"id", *id}, {"name", values->name}, {"version", values->version}});
  return kExitOk;
}

int trust(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::string problem;
  TrustPolicy policy;
  policy.name = arguments.get("name");
  for (const std::string& path : arguments.all("signer")) {
    auto key = load_public_key(path, &problem);
    if (!key.ok()) return failure(context, "reading a signer's key", key.error(), problem);
    policy.signers.push_back(std::move(*key));
  }
  auto threshold = arguments.number("threshold", static_cast<int64_t>(policy.signers.size()), 1, kMaxSigners);
  if (!threshold.ok()) return usage(context, "reference trust", "--threshold takes how many of the signers must sign");
  policy.threshold = static_cast<unsigned>(*threshold);
  std::vector<std::string> origins = arguments.all("log-origin");
  std::vector<std::string> logs = arguments.all("log");
  if (!origins.empty() && origins.size() != logs.size()) {
    return usage(context, "reference trust", "give --log-origin for every --log, in their order, or not at all");
  }
  for (size_t i = 0; i < logs.size(); ++i) {
    auto key = load_public_key(logs[i], &problem);
    if (!key.ok()) return failure(context, "reading a log's key", key.error(), problem);
    policy.logs.push_back(TransparencyLog{std::move(*key), origins.empty() ? std::string() : origins[i]});
  }
  std::string text = policy.to_json();
  // The loader has the last word on every field.
  auto parsed = TrustPolicy::parse(text, &problem);
  if (!parsed.ok()) return failure(context, "reference trust", parsed.error(), problem);
  std::string out = arguments.get("out");
  if (out.empty()) {
    result(context, text, json::parse(text, nullptr, false));
    return kExitOk;
  }
  Status stored = write_file_durably(out.c_str(), Bytes(text), 0644);
  if (!stored.ok()) return failure(context, "writing the trust policy", stored.error(), out);
  result(context, out + " written: " + std::to_string(policy.threshold) + " of " + std::to_string(policy.signers.size()) +
                      " signers of " + policy.name + (policy.logs.empty() ? "" : ", logged") + ".\n",
         {{"path", out}, {"name", policy.name}, {"threshold", policy.threshold}, {"signers", policy.signers.size()}});
  return kExitOk;
}

int verify(const Context& context) {
  const Arguments& arguments = context.arguments;
  if (!arguments.has("trust") || arguments.positional().size() != 1) {
    return usage(context, "reference verify", "--trust POLICY FILE");
  }
  std::string problem;
  const std::string& path = arguments.positional()[0];
  auto policy = load_trust(arguments.get("trust"), &problem);
  if (!policy.ok()) return failure(context, "trust policy", policy.error(), problem);
  auto document = read_text(path, kMaxReferenceValues, &problem);
  if (!document.ok()) return failure(context, "reading reference values", document.error(), problem);
  auto seen = load_seen(context.workspace, policy->name, &problem);
  if (!seen.ok()) return failure(context, "what was seen", seen.error(), problem);
  auto opened = open_signed(Bytes(*document), files_beside(path), *policy, *seen, unix_now(), &problem);
  if (!opened.ok()) return failure(context, "reference values", opened.error(), path + ": " + problem);
  std::string text = "good: " + opened->values.name + " version " + std::to_string(opened->values.version) + ", signed by";
  json signers = json::array();
  for (const std::string& id : opened->signers) {
    text += " " + id;
    signers.push_back(id);
  }
  result(context, text + (opened->logged_at == 0 ? "" : ", logged") + "\n",
         {{"name", opened->values.name},
          {"version", opened->values.version},
          {"signers", std::move(signers)},
          {"logged_at", opened->logged_at}});
  return kExitOk;
}

Result<json> load_measurements(const std::string& path, std::string* problem) {
  TRY_LET(std::string text, read_text(path, kMaxMeasurements, problem));
  auto document = parse_json(text, kMaxMeasurements, 8);
  if (!document.ok()) document = parse_yaml(text, problem);
  if (!document.ok()) {
    *problem = path + ": is neither JSON nor YAML: " + *problem;
    return fail(Code::measurements_malformed, "import.text");
  }
  return document;
}

int import_measurements(const Context& context) {
  const Arguments& arguments = context.arguments;
  if (arguments.positional().size() != 1) return usage(context, "reference import", "which file?");
  std::string problem;
  auto options = set_options(arguments, &problem);
  if (!options.ok()) return usage(context, "reference import", problem);
  auto document = load_measurements(arguments.positional()[0], &problem);
  if (!document.ok()) return failure(context, "reading measurements", document.error(), problem);
  auto set = empty_set(*options, &problem);
  if (!set.ok()) return failure(context, "reference import", set.error(), problem);
  auto measurements = read_measurements(*document, set->variant, &problem);
  Status applied = measurements.ok() ? apply_measurements(*measurements, &*set, &problem) : Status(measurements.error());
  if (!applied.ok()) return failure(context, "measurements", applied.error(), problem);
  return write_values(context, *options, std::move(*set));
}

int export_measurements(const Context& context) {
  const Arguments& arguments = context.arguments;
  if (arguments.positional().size() != 1) return usage(context, "reference export", "which file?");
  std::string problem;
  std::string text;
  auto values = load_reference_values(context.workspace, arguments.positional()[0], &text, &problem);
  if (!values.ok()) return failure(context, "reference values", values.error(), problem);
  const ReferenceSet* chosen = nullptr;
  for (const ReferenceSet& set : values->sets) {
    if (!arguments.has("id") ? values->sets.size() == 1 : set.id == arguments.get("id")) chosen = &set;
  }
  if (chosen == nullptr) return usage(context, "reference export", "--id names one of the sets");
  auto measurements = measurements_of(*chosen, &problem);
  if (!measurements.ok()) return failure(context, "reference export", measurements.error(), problem);
  ImageLabel label{arguments.get("image-version"), arguments.get("ref", "-"), arguments.get("stream", "stable")};
  std::string out = write_measurements(*measurements, chosen->variant, label.version.empty() ? nullptr : &label);
  result(context, out, json::parse(out, nullptr, false));
  return kExitOk;
}
}  // namespace

Result<SigningKey> load_signing_key(const std::string& path, std::string* problem) {
  *problem = path;
  auto data = read_file(path.c_str(), kMaxKeyFile);
  if (!data.ok()) return fail(Code::workspace, "key.read", data.error().origin, data.error().foreign);
  auto key = signing_key_from_pem(*data);
  wipe(*data);
  if (!key.ok()) *problem = path + ": is not an unencrypted P-256 key (PEM)";
  return key;
}

const Command kReferenceKeygen = {
    "reference keygen",
    "Make a key that signs reference values (or attestation results).",
    "  --out NAME              NAME.key (secret, mode 0600) and NAME.pub are written\n"
    "\nKeys of other tools work as well: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256; of cosign and of\n"
    "hardware the public half, while they sign by themselves.\n",
    {},
    {"out"},
    keygen};

const Command kReferenceSign = {
    "reference sign",
    "Sign reference values.",
    "  --key FILE              private key, PEM\n"
    "  FILE                    reference values with a name, a version and an expiry (cstl measure --name …)\n"
    "\nThe signature is written to FILE.<id of the key>.sig. It is the one that `cosign sign-blob --key` makes, and\n"
    "`cosign verify-blob --key KEY.pub --signature FILE.<id>.sig FILE` takes.\n",
    {},
    {"key"},
    sign};

const Command kReferenceTrust = {
    "reference trust",
    "Write the trust policy: who must sign reference values.",
    "  --name NAME             of the reference values\n"
    "  --signer FILE           public key, PEM, P-256; may be repeated\n"
    "  --threshold N           how many of them must sign (default: all)\n"
    "  --log FILE              public key of a transparency log that must hold each signature; may be repeated\n"
    "  --log-origin NAME       the log's name in its checkpoints (rekor.sigstore.dev); one per --log\n"
    "  --out FILE              (default: standard output)\n"
    "\nreference_trust in cstl-conf.yaml names the policy; from then on no other reference values are taken.\n",
    {},
    {"name", "signer", "threshold", "log", "log-origin", "out"},
    trust};

const Command kReferenceVerify = {
    "reference verify",
    "Check reference values against a trust policy; nothing is remembered.",
    "  --trust FILE            the trust policy\n"
    "  FILE                    reference values; signatures and bundles lie beside it\n",
    {},
    {"trust"},
    verify};

const Command kReferenceImport = {
    "reference import",
    "Make reference values of a measurement file of Constellation.",
    "  FILE                    JSON or YAML: a map of measurements, or those of an image\n"
    "  --variant NAME          whose measurements they are (default: qemu-vtpm)\n"
    "  --base FILE             reference values: the set with --id keeps its other fields\n"
    "  and --id, --role, --ek-root, --allow-unendorsed-ak, --valid-days, --name, --version, --expires-days, --out as cstl\n"
    "  measure takes them\n",
    {"allow-unendorsed-ak"},
    {"variant", "base", "id", "role", "ek-root", "valid-days", "name", "version", "expires-days", "out"},
    import_measurements};

const Command kReferenceExport = {
    "reference export",
    "Write a set of reference values as Constellation's measurements.",
    "  FILE                    reference values\n"
    "  --id ID                 of the set, if there are several\n"
    "  --image-version V       write the form of an image's measurements, for this version\n"
    "  --ref REF, --stream S   of the image (default: - and stable)\n",
    {},
    {"id", "image-version", "ref", "stream"},
    export_measurements};

}  // namespace cstl::cli
