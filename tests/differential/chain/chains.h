// Chains of certificates, sound and broken, for path validators to disagree about: a made-up hierarchy on P-256 whose
// certificates are changed and signed again, AMD's and NIST's real ones, both also with bytes changed and sets shuffled.
// The same in every run: the keys come from the seed, and ECDSA is deterministic.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "crypto/x509.h"
#include "tests/harness/der_maker.h"

namespace cstl::test {

using make::Der;

struct ChainCase {
  std::string what;            // words for what was done, each with a space before and after
  Der leaf;
  std::vector<Der> others;     // CAs and roots, in any order
  std::vector<Digest32> roots; // pinned keys
  std::vector<Der> lists;      // of revoked certificates
  bool did(const std::string& word) const { return what.find(" " + word + " ") != std::string::npos; }
};

using Random = std::mt19937;  // the standard says what it gives for a seed

// One certificate before it is signed. Indices are of the pool of keys.
struct Spec {
  Der subject, issuer, serial, validity, spki, algorithm, outer_algorithm, more_fields;
  size_t key = 0, signer = 0;
  int version = 2;
  bool basic = true, basic_critical = true, ca = true;
  int path_length = -1;
  int usage = 0x06;            // KeyUsage's first byte; -1: no extension
  Der more;                    // further extensions
  bool extensions = true;
};

class Chains {
 public:
  // `real`: chains of others, leaf first and root last.
  Chains(uint32_t seed, std::vector<std::vector<Der>> real);
  ChainCase next();

 private:
  size_t below(size_t limit) { return random_() % limit; }
  Spec spec(size_t level, size_t depth);
  Der sign(const Der& body, const Der& algorithm, size_t key);
  Der encode(const Spec& spec);
  Der list(size_t level, std::string* what);
  void made(ChainCase* out);
  void shuffle(ChainCase* out);
  void spoil(ChainCase* out, bool sign_again);

  Random random_;
  std::vector<std::vector<Der>> real_;
  std::vector<SigningKey> keys_;
  std::map<Der, Der> signatures_;      // of what was signed already
  std::vector<Spec> specs_;            // of the case that is being made, leaf first
};

}  // namespace cstl::test
