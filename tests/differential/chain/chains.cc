#include "tests/differential/chain/chains.h"

#include <algorithm>

namespace cstl::test {

using namespace make;

namespace {
constexpr size_t kKeys = 8;
constexpr int64_t kLongAgo = 946684800, kPast = 1577836800, kFuture = 3786912000, kFarOff = 4102444799;  // 2000 … 2099
constexpr std::array<uint8_t, 8> kEcdsaSha256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr std::array<uint8_t, 8> kEcdsaSha384{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
constexpr std::array<uint8_t, 7> kEcKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<uint8_t, 8> kP256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 5> kP384{0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr std::array<uint8_t, 3> kKeyUsage{0x55, 0x1d, 0x0f}, kAltName{0x55, 0x1d, 0x11}, kBasic{0x55, 0x1d, 0x13};
constexpr std::array<uint8_t, 3> kCrlNumber{0x55, 0x1d, 0x14}, kNameConstraints{0x55, 0x1d, 0x1e};
constexpr std::array<uint8_t, 3> kPolicies{0x55, 0x1d, 0x20}, kPolicyConstraints{0x55, 0x1d, 0x24};
constexpr std::array<uint8_t, 3> kExtendedUsage{0x55, 0x1d, 0x25}, kAuthorityKey{0x55, 0x1d, 0x23};
constexpr std::array<uint8_t, 3> kSubjectKey{0x55, 0x1d, 0x0e}, kNobody{0x55, 0x1d, 0x7f}, kOwn{0x2a, 0x03, 0x04};
constexpr std::array<uint8_t, 8> kServerAuth{0x2b, 6, 1, 5, 5, 7, 3, 1};

Der generalized(const char* digits) { return tlv(der::kGeneralizedTime, Bytes(std::string_view(digits)).copy()); }
Der utc(const char* digits) { return tlv(der::kUtcTime, Bytes(std::string_view(digits)).copy()); }
Der date(int64_t seconds) {
  if (seconds < 2524608000) return time(seconds);
  std::string digits;
  for (char c : utc_text(seconds)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return generalized((digits + "Z").c_str());
}
Der validity(int64_t from, int64_t until) { return sequence({date(from), date(until)}); }
Der text_name(uint8_t kind, const std::string& text) {
  constexpr std::array<uint8_t, 3> kCommonName{0x55, 0x04, 0x03};
  return sequence({tlv(der::kSet, sequence({oid(kCommonName), tlv(kind, Bytes(std::string_view(text)).copy())}))});
}
Der critical(Bytes id, const Der& value) { return extension(id, true, value); }
Der plain(Bytes id, const Der& value) { return extension(id, false, value); }
Der point_key(Bytes curve, const Der& point) { return sequence({sequence({oid(kEcKey), oid(curve)}), bits(point)}); }
std::string name_of(size_t level, size_t depth) {
  return level == 0 ? "leaf" : level + 1 == depth ? "root" : "authority " + std::to_string(level);
}

// What can be wrong with one certificate, or be said in another way.
struct Change {
  const char* word;
  void (*apply)(Spec*, Random&);
};
const Change kChanges[] = {
    {"no-basic", [](Spec* s, Random&) { s->basic = false; }},
    {"basic-not-critical", [](Spec* s, Random&) { s->basic_critical = false; }},
    {"ca-flipped", [](Spec* s, Random&) { s->ca = !s->ca; }},
    {"path-length", [](Spec* s, Random& r) { s->path_length = static_cast<int>(r() % 4); }},
    {"path-length-0", [](Spec* s, Random&) { s->path_length = 0; }},
    {"no-usage", [](Spec* s, Random&) { s->usage = -1; }},
    {"usage-no-sign", [](Spec* s, Random&) { s->usage = 0x02; }},
    {"usage-nothing", [](Spec* s, Random&) { s->usage = 0; }},
    {"version-1", [](Spec* s, Random&) { s->version = 0, s->extensions = false; }},
    {"version-2", [](Spec* s, Random&) { s->version = 1, s->extensions = false; }},
    {"version-1-extended", [](Spec* s, Random&) { s->version = 0; }},
    {"version-4", [](Spec* s, Random&) { s->version = 3; }},
    {"no-extensions", [](Spec* s, Random&) { s->extensions = false; }},
    {"serial-zero", [](Spec* s, Random&) { s->serial = Der{der::kInteger, 1, 0}; }},
    {"serial-negative", [](Spec* s, Random&) { s->serial = Der{der::kInteger, 1, 0x81}; }},
    {"serial-long", [](Spec* s, Random& r) { s->serial = tlv(der::kInteger, Der(20 + r() % 24, 0x11)); }},
    {"serial-padded", [](Spec* s, Random&) { s->serial = Der{der::kInteger, 2, 0, 5}; }},
    {"serial-empty", [](Spec* s, Random&) { s->serial = Der{der::kInteger, 0}; }},
    {"expired", [](Spec* s, Random&) { s->validity = validity(kLongAgo, kPast); }},
    {"early", [](Spec* s, Random&) { s->validity = validity(kFuture, kFarOff); }},
    {"backwards", [](Spec* s, Random&) { s->validity = validity(kFarOff, kLongAgo); }},
    {"no-end", [](Spec* s, Random&) { s->validity = sequence({date(kLongAgo), generalized("99991231235959Z")}); }},
    {"from-1950", [](Spec* s, Random&) { s->validity = sequence({utc("500101000000Z"), date(kFarOff)}); }},
    {"generalized-early",
     [](Spec* s, Random&) { s->validity = sequence({generalized("20000101000000Z"), date(kFarOff)}); }},
    {"no-seconds", [](Spec* s, Random&) { s->validity = sequence({utc("0001010000Z"), date(kFarOff)}); }},
    {"time-offset", [](Spec* s, Random&) { s->validity = sequence({utc("000101000000+0100"), date(kFarOff)}); }},
    {"day-30-february", [](Spec* s, Random&) { s->validity = sequence({utc("000230000000Z"), date(kFarOff)}); }},
    {"other-subject", [](Spec* s, Random&) { s->subject = name("somebody"); }},
    {"other-issuer", [](Spec* s, Random&) { s->issuer = name("somebody"); }},
    {"self-issued", [](Spec* s, Random&) { s->issuer = s->subject; }},
    {"issuer-printable", [](Spec* s, Random&) { s->issuer = text_name(0x13, "authority 1"); }},
    {"issuer-capital", [](Spec* s, Random&) { s->issuer = name("Authority 1"); }},
    {"subject-empty", [](Spec* s, Random&) { s->subject = sequence({}); }},
    {"issuer-empty", [](Spec* s, Random&) { s->issuer = sequence({}); }},
    {"other-signer", [](Spec* s, Random& r) { s->signer = r() % kKeys; }},
    {"unknown-critical", [](Spec* s, Random&) { s->more = critical(kOwn, Der{5, 0}); }},
    {"unknown", [](Spec* s, Random&) { s->more = plain(kOwn, Der{5, 0}); }},
    {"nobodys-critical", [](Spec* s, Random&) { s->more = critical(kNobody, Der{5, 0}); }},
    {"extension-twice", [](Spec* s, Random&) { s->more = join({plain(kOwn, Der{5, 0}), plain(kOwn, Der{5, 0})}); }},
    {"names-narrowed",
     [](Spec* s, Random& r) {
       Der only = tlv(der::constructed_context(0), sequence({tlv(0x82, Der{'a', '.', 'b'})}));
       s->more = extension(kNameConstraints, r() % 2 != 0, sequence({only}));
     }},
    {"extended-usage",
     [](Spec* s, Random& r) { s->more = extension(kExtendedUsage, r() % 2 != 0, sequence({oid(kServerAuth)})); }},
    {"policy",
     [](Spec* s, Random& r) { s->more = extension(kPolicies, r() % 2 != 0, sequence({sequence({oid(kOwn)})})); }},
    {"policy-demanded",
     [](Spec* s, Random& r) { s->more = extension(kPolicyConstraints, r() % 2 != 0, sequence({Der{0x80, 1, 0}})); }},
    {"alt-name", [](Spec* s, Random&) { s->more = plain(kAltName, sequence({tlv(0x82, Der{'a', '.', 'b'})})); }},
    {"alt-name-directory",
     [](Spec* s, Random& r) {
       s->more = extension(kAltName, r() % 2 != 0, sequence({tlv(der::constructed_context(4), name("x"))}));
     }},
    {"alt-name-broken", [](Spec* s, Random&) { s->more = plain(kAltName, Der{1, 1}); }},
    {"key-ids",
     [](Spec* s, Random& r) {
       auto id = static_cast<uint8_t>(r() % 2);
       s->more = join({plain(kSubjectKey, octets(Bytes(&id, 1))), plain(kAuthorityKey, sequence({tlv(0x80, Der{id})}))});
     }},
    {"algorithms-differ", [](Spec* s, Random&) { s->outer_algorithm = sequence({oid(kEcdsaSha384)}); }},
    {"algorithm-null",
     [](Spec* s, Random&) { s->algorithm = s->outer_algorithm = sequence({oid(kEcdsaSha256), Der{5, 0}}); }},
    {"algorithm-other", [](Spec* s, Random&) { s->algorithm = s->outer_algorithm = sequence({oid(kEcdsaSha384)}); }},
    {"unique-id", [](Spec* s, Random&) { s->more_fields = Der{0x81, 2, 0, 7}; }},
    {"field-more", [](Spec* s, Random&) { s->more_fields = Der{der::kInteger, 1, 1}; }},
    {"key-compressed",
     [](Spec* s, Random&) {
       auto at = std::search(s->spki.begin(), s->spki.end(), kP256.begin(), kP256.end()) + kP256.size() + 4;
       Der point(at, at + 33);
       point[0] = static_cast<uint8_t>(2 + (s->spki.back() & 1));
       s->spki = point_key(kP256, point);
     }},
    {"key-off-curve", [](Spec* s, Random&) { s->spki.back() = static_cast<uint8_t>(s->spki.back() ^ 1); }},
    {"key-other-curve", [](Spec* s, Random&) { s->spki = point_key(kP384, Der(s->spki.end() - 65, s->spki.end())); }},
    {"key-ed25519",
     [](Spec* s, Random&) { s->spki = sequence({sequence({tlv(der::kOid, Der{0x2b, 0x65, 0x70})}), bits(Der(32, 9))}); }},
};
}  // namespace

Chains::Chains(uint32_t seed, std::vector<std::vector<Der>> real) : random_(seed), real_(std::move(real)) {
  while (keys_.size() < kKeys) {
    Secret<32> scalar;
    MutBytes bytes = scalar.fill();
    for (size_t i = 0; i < bytes.size(); ++i) bytes.data()[i] = static_cast<uint8_t>(random_());
    if (auto key = SigningKey::from_scalar(scalar); key.ok()) keys_.push_back(std::move(*key));
  }
}

Spec Chains::spec(size_t level, size_t depth) {
  Spec out;
  out.key = level, out.signer = std::min(level + 1, depth - 1);
  out.subject = name(name_of(level, depth)), out.issuer = name(name_of(out.signer, depth));
  out.serial = integer(static_cast<uint32_t>(100 + level));
  out.validity = validity(kLongAgo, kFarOff);
  out.algorithm = out.outer_algorithm = sequence({oid(kEcdsaSha256)});
  out.spki = point_key(kP256, Bytes(keys_[level].point()).copy());
  if (level == 0) out.ca = false, out.usage = 0x80;
  return out;
}

Der Chains::sign(const Der& body, const Der& algorithm, size_t key) {
  Der id = body;
  id.push_back(static_cast<uint8_t>(key));
  Der& signature = signatures_[id];
  if (signature.empty()) {
    P256Signature raw = *keys_[key].sign(*sha256({body}));
    signature = bits(sequence({integer(Bytes(raw).first(32)), integer(Bytes(raw).skip(32))}));
  }
  return sequence({body, algorithm, signature});
}

Der Chains::encode(const Spec& s) {
  Der constraints;
  if (s.ca) constraints = Der{der::kBoolean, 1, 0xff};
  if (s.path_length >= 0) constraints = join({constraints, integer(static_cast<uint32_t>(s.path_length))});
  Der extensions;
  if (s.basic) extensions = extension(kBasic, s.basic_critical, tlv(der::kSequence, constraints));
  if (s.usage >= 0) {
    extensions = join({extensions, critical(kKeyUsage, Der{der::kBitString, 2, 0, static_cast<uint8_t>(s.usage)})});
  }
  extensions = join({extensions, s.more});
  Der version = s.version == 0 ? Der{} : tlv(der::constructed_context(0), integer(static_cast<uint32_t>(s.version)));
  Der body = sequence({version, s.serial, s.algorithm, s.issuer, s.validity, s.subject, s.spki, s.more_fields,
                       s.extensions ? tlv(der::constructed_context(3), tlv(der::kSequence, extensions)) : Der{}});
  return sign(body, s.outer_algorithm, s.signer);
}

Der Chains::list(size_t level, std::string* what) {
  Spec of = specs_[level];
  Der entries, extensions = plain(kCrlNumber, integer(1u));
  Der from = date(kLongAgo), until = date(kFarOff);
  size_t signer = of.key;
  switch (below(9)) {
    case 0: until = date(kPast), *what += "list-old "; break;
    case 1: from = date(kFuture), *what += "list-early "; break;
    case 2: signer = below(kKeys), *what += "list-signer "; break;
    case 3: of.subject = name("somebody"), *what += "list-name "; break;
    case 4: extensions = critical(kOwn, Der{5, 0}), *what += "list-critical "; break;
    case 5: until = Der{}, *what += "list-endless "; break;
    default: break;
  }
  if (below(2) != 0) {
    entries = tlv(der::kSequence, sequence({integer(static_cast<uint32_t>(100 + below(specs_.size()))), date(kPast)}));
    *what += "list-entry ";
  }
  *what += "list ";
  Der algorithm = sequence({oid(kEcdsaSha256)});
  return sign(sequence({integer(1u), algorithm, of.subject, from, until, entries,
                        tlv(der::constructed_context(0), sequence({extensions}))}),
              algorithm, signer);
}

void Chains::made(ChainCase* out) {
  size_t depth = 2 + below(4);
  specs_.clear();
  for (size_t level = 0; level < depth; ++level) specs_.push_back(spec(level, depth));
  for (size_t n = below(3); n > 0; --n) {
    const Change& change = kChanges[below(std::size(kChanges))];
    change.apply(&specs_[below(depth)], random_);
    out->what += std::string(change.word) + " ";
  }
  out->leaf = encode(specs_[0]);
  for (size_t level = 1; level < depth; ++level) out->others.push_back(encode(specs_[level]));
  if (depth < 5 && below(4) == 0) {  // another certificate of an authority, perhaps as sound, perhaps not
    size_t level = 1 + below(depth - 1);
    Spec twin = specs_[level];
    if (below(2) != 0) twin.key = 7, twin.spki = point_key(kP256, Bytes(keys_[7].point()).copy());
    if (below(2) != 0) {
      const Change& change = kChanges[below(std::size(kChanges))];
      change.apply(&twin, random_);
      out->what += std::string(change.word) + " ";
    }
    if (below(3) == 0) twin.signer = 1 + below(depth - 1), twin.issuer = specs_[twin.signer].subject;
    out->others.insert(out->others.begin() + static_cast<ptrdiff_t>(below(out->others.size() + 1)), encode(twin));
    out->what += "twin ";
  }
  out->roots.push_back(*sha256({specs_.back().spki}));
  if (below(6) == 0) out->lists.push_back(list(1 + below(depth - 1), &out->what));
}

void Chains::shuffle(ChainCase* out) {
  switch (below(9)) {
    case 0:
      for (size_t i = out->others.size(); i > 1; --i) std::swap(out->others[i - 1], out->others[below(i)]);
      break;
    case 1: out->others.erase(out->others.begin() + static_cast<ptrdiff_t>(below(out->others.size()))); break;
    case 2: out->others.push_back(out->others[below(out->others.size())]); break;
    case 3: out->others.push_back(out->leaf), out->what += "leaf-again "; return;
    case 4: out->roots.clear(); break;
    case 5:
    case 6:
    case 7: {  // another is pinned, alone or too
      const Der& one = below(3) == 0 ? out->leaf : out->others[below(out->others.size())];
      if (below(2) != 0) out->roots.clear();
      if (auto view = CertificateView::parse(one); view.ok()) out->roots.push_back(*sha256({view->spki}));
      out->what += "pinned ";
      return;
    }
    default: out->others.push_back(real_[0].back());
  }
  out->what += "set ";
}

// Bytes of one certificate change; of one that is ours, it may be signed again.
void Chains::spoil(ChainCase* out, bool sign_again) {
  size_t which = below(out->others.size() + 1);
  Der& der = which == 0 ? out->leaf : out->others[which - 1];
  auto view = CertificateView::parse(der);
  Der body = sign_again && view.ok() ? view->to_be_signed.copy() : der;
  for (size_t n = 1 + below(2); n > 0; --n) {
    size_t at = below(body.size());
    switch (below(6)) {
      case 0:
      case 1: body[at] = static_cast<uint8_t>(body[at] ^ 1 << below(8)); break;
      case 2: body[at] = static_cast<uint8_t>(random_()); break;
      case 3: body.erase(body.begin() + static_cast<ptrdiff_t>(at)); break;
      case 4: body.insert(body.begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>(random_())); break;
      default: std::swap(body[at], body[below(body.size())]);
    }
  }
  if (sign_again && which < specs_.size()) {
    der = sign(body, specs_[which].outer_algorithm, specs_[which].signer);
    out->what += "bytes-signed ";
  } else {
    der = body;
    out->what += "bytes ";
  }
}

ChainCase Chains::next() {
  ChainCase out;
  out.what = " ";
  if (below(12) == 0) {
    const std::vector<Der>& chain = real_[below(real_.size())];
    out.what += "real ";
    out.leaf = chain.front();
    out.others.assign(chain.begin() + 1, chain.end());
    out.roots.push_back(*certificate_spki_hash(chain.back()));
    specs_.clear();
    if (below(8) != 0) spoil(&out, false);
  } else {
    made(&out);
    if (size_t how = below(6); how < 2) spoil(&out, how == 0);
  }
  if (below(3) == 0) shuffle(&out);
  return out;
}

}  // namespace cstl::test
