#include "attest/snp/kds.h"

#include "crypto/base/fd.h"
#include "crypto/crl.h"
#include "crypto/x509.h"

namespace cstl::snp {

namespace {
constexpr size_t kMaxChainFile = 16 * 1024;
constexpr mode_t kPublic = 0644;

std::string start_of(const std::string& base, Product product, Signer signer) {
  return base + (signer == Signer::vlek ? "/vlek/v1/" : "/vcek/v1/") + product_name(product) + "/";
}

Status check_chain(const std::vector<std::vector<uint8_t>>& chain, const Roots& roots, int64_t now) {
  if (chain.size() != 2) return fail(Code::snp_chain, "kds.chain");
  ChainPolicy policy{roots.hashes, roots.count, now};
  policy.self_signed = true;
  Status verified = verify_chain(chain[0], {Bytes(chain[1])}, policy);
  if (verified.code() == Code::untrusted_chain) return fail(Code::snp_chain, "kds.chain");
  return verified;
}

// The list is the root's, and current. `late` tells that it will soon not be.
Status check_list(Bytes der, Bytes ark, int64_t now, bool* late) {
  TRY_LET(Crl crl, Crl::parse(der));
  TRY(crl.verify(ark, now));
  *late = now >= crl.next_update() - (crl.next_update() - crl.this_update()) / 4;
  return success();
}

Status check_leaf(Bytes der, const CollateralFiles& files, const KdsClient& client, const Report& report, int64_t now) {
  std::vector<Bytes> certificates{der};
  for (const std::vector<uint8_t>& issuer : files.chain) certificates.push_back(Bytes(issuer));
  VerifyPolicy policy;
  policy.roots = client.roots;
  policy.now = now;
  ReportStep reached = ReportStep::form;
  TRY_LET(VerifiedLeaf leaf, verify_leaf(certificates, policy, reached));
  if (leaf.chip_id() != report.chip_id) return fail(Code::snp_chip_id, "kds.leaf");
  if (leaf.tcb() != report.reported_tcb) return fail(Code::snp_tcb_mismatch, "kds.leaf");
  return success();
}

// One download: from where, into which file.
class Fetch {
 public:
  Fetch(const KdsClient& client, std::string* problem) : client_(client), problem_(problem) {}

  bool allowed() const { return !client_.https.ca_pem.empty(); }

  Result<std::vector<uint8_t>> get(const std::string& url, size_t max) const {
    if (!allowed()) {
      if (problem_ != nullptr) *problem_ = "not in the folder: " + url;
      return fail(Code::not_found, "kds.offline");
    }
    Result<HttpsAnswer> answer = https_get(url, max, client_.https, problem_);
    if (!answer.ok()) {
      if (problem_ != nullptr) *problem_ = url + ": " + *problem_;
      return answer.error();
    }
    return std::move(answer->body);
  }

  Status keep(const std::string& name, Bytes body) const {
    TRY(make_folders(client_.folder));
    return write_file_durably((client_.folder + "/" + name).c_str(), body, kPublic);
  }

 private:
  const KdsClient& client_;
  std::string* problem_;
};

Status obtain_chain(const KdsClient& client, const Fetch& fetch, Product product, Signer signer, int64_t now,
                    CollateralFiles* files) {
  const Roots& roots = client.roots.of[static_cast<size_t>(product)];
  if (check_chain(files->chain, roots, now).ok()) return success();
  TRY_LET(std::vector<uint8_t> body, fetch.get(chain_url(client.base, product, signer), kMaxChainFile));
  TRY_LET(files->chain, certificates_from_file(body));
  TRY(check_chain(files->chain, roots, now));
  return fetch.keep(chain_file(product, signer), body);
}

Status obtain_list(const KdsClient& client, const Fetch& fetch, Product product, Signer signer, int64_t now,
                   CollateralFiles* files) {
  bool late = true;
  Bytes ark = files->chain[1];
  bool good = !files->crl.empty() && check_list(files->crl, ark, now, &late).ok();
  if (good && (!late || !fetch.allowed())) return success();
  auto body = fetch.get(crl_url(client.base, product, signer), kMaxCollateralCrl);
  Result<std::vector<uint8_t>> fresh = body.ok() ? crl_from_file(*body) : body;
  Status checked = fresh.ok() ? check_list(*fresh, ark, now, &late) : Status(fresh.error());
  if (!checked.ok()) return good ? success() : checked;
  files->crl = std::move(*fresh);
  return fetch.keep(crl_file(product, signer), files->crl);
}
}  // namespace

std::string chain_url(const std::string& base, Product product, Signer signer) {
  return start_of(base, product, signer) + "cert_chain";
}

std::string crl_url(const std::string& base, Product product, Signer signer) {
  return start_of(base, product, signer) + "crl";
}

std::string vcek_url(const std::string& base, Product product, const ChipId& chip, uint64_t raw) {
  const bool turin = product == Product::turin;
  Tcb tcb = Tcb::from(raw, product);
  auto level = [](const char* name, uint8_t value) { return std::string(name) + "SPL=" + std::to_string(value); };
  return start_of(base, product, Signer::vcek) + to_hex(Bytes(chip).first(turin ? kTurinHwid : chip.size())) + "?" +
         (turin ? level("fmc", tcb.fmc) + "&" : "") + level("bl", tcb.bootloader) + "&" + level("tee", tcb.tee) + "&" +
         level("snp", tcb.snp) + "&" + level("ucode", tcb.microcode);
}

Result<CollateralFiles> obtain_collateral(const KdsClient& client, const Report& report, Product product, int64_t now,
                                          std::string* problem) {
  if (report.names_processor()) product = report.product();
  if (product == Product::unknown) return fail(Code::snp_product, "kds.product");
  const Signer signer = report.signing_key;
  // A folder that is empty, or spoilt, is as good as none.
  Result<CollateralFiles> kept = read_collateral(client.folder, report, product);
  CollateralFiles files = kept.ok() ? std::move(*kept) : CollateralFiles();
  Fetch fetch(client, problem);
  TRY(obtain_chain(client, fetch, product, signer, now, &files));
  TRY(obtain_list(client, fetch, product, signer, now, &files));
  if (signer != Signer::vcek || report.chip_masked()) return files;
  if (!files.leaf.empty() && check_leaf(files.leaf, files, client, report, now).ok()) return files;
  TRY_LET(files.leaf, fetch.get(vcek_url(client.base, product, report.chip_id, report.reported_tcb), kMaxCertificate));
  TRY(check_leaf(files.leaf, files, client, report, now));
  TRY(fetch.keep(vcek_file(report.chip_id, report.reported_tcb), files.leaf));
  return files;
}

}  // namespace cstl::snp
