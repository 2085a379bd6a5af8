// Judges chains of certificates with verify_chain() and with mbedTLS's own walker, and writes them down for a third:
//   chain_cases make SEED COUNT VERDICTS >CASES
//   chain_cases compare VERDICTS THEIRS
// CASES: the clock, u32 (little endian); per case u8 number of pinned keys and those (SHA-256 of the SPKI), u8 number of
// certificates, the leaf first, each u32 length and bytes. VERDICTS: a line per case, tab between: our code, site and
// foreign number; mbedTLS's word; what was done. THEIRS: a line per case, "ok" or why not; "-": not asked.
// A disagreement is explained by the table below or an error; and what explains nothing any more is one too.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "crypto/base/fd.h"
#include "crypto/fast_verify.h"
#include "crypto/mbedtls.h"
#include "tests/differential/chain/chains.h"

using namespace cstl;
using namespace cstl::test;

namespace {
struct Explanation {
  const char* who;     // the other: "mbedtls", "go" or "both"
  const char* reason;  // how the reason of the one that refuses begins
  const char* did;     // a word that must be among what was done; "": any
  const char* why;
  bool accepted = false;  // by us, and the other refuses
  size_t seen = 0;
};
constexpr bool kWeAccept = true;
Explanation explanations[] = {
    // What others accept.
    {"both", "bad_certificate certificate.serial", "", "serial numbers have 1 to 20 bytes (RFC 5280, 4.1.2.2)"},
    {"both", "bad_certificate certificate.not_before", "from-1950", "dates before 1970 are refused"},
    {"both", "bad_certificate chain.name_constraints", "", "name constraints are refused even if not critical"},
    {"both", "untrusted_chain chain.root_signature", "", "the root's own signature counts; to others a root is a key"},
    {"both", "untrusted_chain chain.no_issuer", "version-1", "a root is an authority by its basic constraints only"},
    {"both", "untrusted_chain chain.no_issuer", "version-2", "likewise"},
    {"both", "untrusted_chain chain.no_issuer", "algorithm-null", "ECDSA has no parameters (RFC 5758, 3.2)"},
    {"both", "untrusted_chain chain.no_issuer", "twin", "of two certificates of one authority the first that fits counts"},
    {"both", "certificate_expired", "twin", "likewise, though the other one is valid"},
    {"both", "bad_certificate", "bytes-signed", "what is not DER, or no certificate to mbedTLS's parser, is refused"},
    {"mbedtls", "bad_certificate certificate.extension_twice", "", "no extension stands twice (RFC 5280, 4.2)"},
    {"mbedtls", "untrusted_chain chain.no_issuer", "issuer-capital", "names are equal byte for byte"},
    {"mbedtls", "untrusted_chain chain.no_issuer", "issuer-printable", "likewise"},
    {"mbedtls", "crl_malformed crl.next_update", "list-endless", "a list says when the next one comes (RFC 5280, 5.1.2.5)"},
    {"go", "untrusted_chain chain.no_issuer", "usage-nothing", "Go takes a key usage of nothing for none"},
    {"go", "bad_certificate chain.parse -9216", "time-offset", "times are in UTC (RFC 5280, 4.1.2.5)"},
    {"go", "bad_certificate chain.parse -9216", "no-seconds", "and have seconds"},
    {"go", "bad_certificate chain.parse -9184", "issuer-empty", "an issuer has a name (RFC 5280, 4.1.2.4)"},
    {"go", "bad_certificate chain.parse -9570", "names-narrowed", "Go judges name constraints"},
    {"go", "bad_certificate chain.parse -9570", "unique-id", "unique identifiers are refused (RFC 5280, 4.1.2.8)"},
    {"go", "bad_certificate chain.parse -9570", "field-more", "Go reads over a field that no certificate has"},
    {"go", "bad_certificate chain.parse -9570", "path-length", "only an authority has a path length (RFC 5280, 4.2.1.9)"},
    {"go", "bad_certificate chain.parse -9570", "path-length-0", "likewise"},
    {"go", "bad_certificate chain.parse -9570", "policy-demanded", "Go knows critical constraints of policies"},
    {"go", "bad_certificate chain.parse", "bytes", "Go does not care about what no path needs"},
    {"go", "bad_certificate chain.parse -9570", "unknown-critical", "likewise"},
    {"go", "bad_certificate chain.parse -9570", "nobodys-critical", "likewise"},
    {"go", "bad_certificate chain.parse -8678", "version-1-extended", "extensions are of version 3 (RFC 5280, 4.1.2.9)"},
    {"go", "bad_certificate chain.parse -8678", "unique-id", "what comes with version 2 is of no version 1"},
    {"go", "bad_certificate chain.parse -8320", "policy", "Go knows critical policies"},
    {"go", "bad_certificate chain.parse -15488", "key-ed25519", "Go knows Ed25519, where it signed nothing"},
    // What we accept.
    {"mbedtls", "flags", "twin", "of two certificates of one authority it takes another one first", kWeAccept},
    {"mbedtls", "list", "subject-empty", "a list whose issuer has no name is a stranger's, and does not count", kWeAccept},
    {"go", "x509: unhandled critical extension", "alt-name-directory", "certificates of TPMs have it (TCG)", kWeAccept},
    {"go", "x509: no valid chains built: all candidate chains have invalid policies", "policy-demanded",
     "policies are not read", kWeAccept},
    {"go", "x509: malformed serial number", "", "a zero too many is read over, there and in lists", kWeAccept},
    {"go", "x509: failed to unmarshal elliptic curve point", "", "a point is checked when it verifies", kWeAccept},
    {"go", "x509: invalid RDNSequence", "", "names are compared, not read", kWeAccept},
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "chain_cases: %s\n", what);
  std::exit(1);
}

Der package_file(const std::string& name) {
  const char* root = std::getenv("CSTL_EVIDENCE");
  if (root == nullptr) give_up("set CSTL_EVIDENCE to what tools/deps/evidence.sh --print-prefix prints");
  auto file = read_file((std::string(root) + "/usr/share/" + name).c_str(), 65536);
  if (!file.ok()) give_up("a package's certificate is not there");
  return *file;
}

std::vector<std::vector<Der>> real_chains() {
  const std::string amd = "gocode/src/github.com/google/go-sev-guest/verify/";
  const std::string nist = "go-1.24/src/crypto/x509/testdata/nist-pkits/certs/";
  std::vector<Der> chain{package_file(amd + "testdata/vcek.testcer")};
  auto above = certificates_from_file(package_file(amd + "trust/ask_ark_milan.pem"));
  if (!above.ok()) give_up("AMD's chain is not there");
  chain.insert(chain.end(), above->begin(), above->end());
  return {chain,
          {package_file(nist + "ValidCertificatePathTest1EE.crt"), package_file(nist + "GoodCACert.crt"),
           package_file(nist + "TrustAnchorRootCertificate.crt")}};
}

// mbedTLS takes trust anchors instead of pins, and an order: it looks for an issuer behind the certificate in question,
// so all are there as often as they are many.
std::string judge_by_mbedtls(const ChainCase& one) {
  Certificate chain, anchors;
  Pinned<mbedtls_x509_crl, mbedtls_x509_crl_init, mbedtls_x509_crl_free> lists;
  auto parse = [](Certificate& into, const Der& der) {
    int number = mbedtls_x509_crt_parse_der(into.get(), der.data(), der.size());
    mbedtls_x509_crt* last = into.get();
    while (last->next != nullptr) last = last->next;
    return number == 0 && last->raw.len == der.size();
  };
  if (!parse(chain, one.leaf)) return "parse";
  bool anchored = false;
  for (size_t round = 0; round < one.others.size(); ++round) {
    for (const Der& der : one.others) {
      if (!parse(chain, der)) return "parse";
      if (round > 0) continue;
      auto pin = certificate_spki_hash(der);
      if (!pin.ok() || std::count(one.roots.begin(), one.roots.end(), *pin) == 0) continue;
      anchored = true;
      if (!parse(anchors, der)) return "parse";
    }
  }
  if (!anchored) return "no anchor";
  for (const Der& der : one.lists) {
    if (mbedtls_x509_crl_parse_der(lists.get(), der.data(), der.size()) != 0) return "list";
  }
  mbedtls_x509_crt_profile profile = mbedtls_x509_crt_profile_default;
  uint32_t flags = 0;
  int number = mbedtls_x509_crt_verify_with_profile(chain.get(), anchors.get(), lists.get(), &profile, nullptr, &flags,
                                                    nullptr, nullptr);
  char word[32];
  std::snprintf(word, sizeof word, "flags %x", flags);
  return number == 0 ? "ok" : word;
}

void put_u32(uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) std::putchar(static_cast<int>(value >> 8 * i & 0xff));
}

void put(Bytes bytes) { (void)std::fwrite(bytes.data(), 1, bytes.size(), stdout); }

void make_cases(uint32_t seed, size_t count, const char* path) {
  std::FILE* verdicts = std::fopen(path, "w");
  if (verdicts == nullptr) give_up("cannot write");
  FastVerification fast;
  Chains chains(seed, real_chains());
  int64_t now = std::time(nullptr);  // mbedTLS has no other clock; what is compared is years away from it
  put_u32(static_cast<uint32_t>(now));
  for (size_t i = 0; i < count; ++i) {
    ChainCase one = chains.next();
    std::vector<Bytes> others(one.others.begin(), one.others.end()), lists(one.lists.begin(), one.lists.end());
    Status ours = verify_chain(one.leaf, others, {one.roots.data(), one.roots.size(), now, &lists});
    Error error = ours.ok() ? Error{Code::ok, Origin::cstl, 0, "-"} : ours.error();
    std::fprintf(verdicts, "%s %s %lld\t%s\t%s\n", code_name(ours.code()), error.site,
                 static_cast<long long>(error.foreign), judge_by_mbedtls(one).c_str(), one.what.c_str());
    std::putchar(static_cast<int>(one.roots.size()));
    for (const Digest32& root : one.roots) put(root);
    // Go knows no lists that come with a chain.
    std::putchar(one.lists.empty() ? static_cast<int>(1 + one.others.size()) : 0);
    if (!one.lists.empty()) continue;
    put_u32(static_cast<uint32_t>(one.leaf.size()));
    put(one.leaf);
    for (const Der& der : one.others) put_u32(static_cast<uint32_t>(der.size())), put(der);
  }
  if (std::fclose(verdicts) != 0 || std::fflush(stdout) != 0) give_up("cannot write");
}

bool begins(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

// Whether one other's verdict is ours, or explained.
bool agrees(const char* who, const std::string& ours, const std::string& theirs, const std::string& what) {
  bool accepted = begins(ours, "ok "), they = theirs == "ok";
  if (theirs == "-" || accepted == they) return true;
  for (Explanation& one : explanations) {
    std::string word = " " + std::string(one.did) + " ";
    bool about = one.who == std::string(who) || one.who == std::string("both");
    if (!about || one.accepted != accepted || !begins(accepted ? theirs : ours, one.reason)) continue;
    if (*one.did != 0 && what.find(word) == std::string::npos) continue;
    ++one.seen;
    return true;
  }
  std::printf("%s | %s: %s |%s\n", ours.c_str(), who, theirs.c_str(), what.c_str());
  return false;
}

int compare(const char* ours_path, const char* theirs_path) {
  std::ifstream ours_file(ours_path), theirs_file(theirs_path);
  std::string line, theirs;
  size_t count = 0, accepted = 0, unexplained = 0, explained = 0;
  while (std::getline(ours_file, line)) {
    if (!std::getline(theirs_file, theirs)) give_up("a verdict is missing");
    size_t first = line.find('\t'), second = line.find('\t', first + 1);
    std::string ours = line.substr(0, first), what = line.substr(second + 1);
    ++count;
    accepted += begins(ours, "ok ");
    unexplained += !agrees("mbedtls", ours, line.substr(first + 1, second - first - 1), what);
    unexplained += !agrees("go", ours, theirs, what);
  }
  if (std::getline(theirs_file, theirs)) give_up("a verdict too many");
  for (const Explanation& one : explanations) {
    std::printf("  %5zu %s %s: %s\n", one.seen, one.who, one.accepted ? "refuses" : "accepts", one.why);
    explained += one.seen;
    if (one.seen == 0) ++unexplained;
  }
  std::printf("%zu chains, %zu accepted by us, %zu disagreements explained, %zu not\n", count, accepted, explained,
              unexplained);
  return unexplained == 0 && count >= 10000 && accepted >= count / 10 ? 0 : 1;
}
}  // namespace

int main(int count, char** words) {
  std::string verb = count > 1 ? words[1] : "";
  if (verb == "make" && count == 5) {
    make_cases(static_cast<uint32_t>(std::strtoul(words[2], nullptr, 10)), std::strtoul(words[3], nullptr, 10), words[4]);
    return 0;
  }
  if (verb == "compare" && count == 4) return compare(words[2], words[3]);
  give_up("usage: chain_cases make SEED COUNT VERDICTS | compare VERDICTS THEIRS");
}
