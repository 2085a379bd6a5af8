#include "crypto/name_text.h"

#include "crypto/der.h"

namespace cstl {

namespace {
constexpr uint8_t kBmpString = 0x1e;

struct Attribute {
  uint8_t last;      // of the OID 2.5.4.x
  const char* label;
};
constexpr Attribute kShown[] = {{3, "CN="}, {10, "O="}, {11, "OU="}, {6, "C="}};

void append_printable(Bytes value, bool wide, std::string& out) {
  for (size_t i = wide ? 1 : 0; i < value.size(); i += wide ? 2 : 1) {
    bool plain = value[i] >= 0x20 && value[i] < 0x7f && (!wide || value[i - 1] == 0);
    out += plain ? static_cast<char>(value[i]) : '.';
  }
}

// RelativeDistinguishedName: SET OF SEQUENCE { OID, ANY }.
Status append_matching(DerReader set, const Attribute& wanted, std::string& out) {
  while (!set.empty()) {
    TRY_LET(DerReader pair, set.enter(der::kSequence, "name.attribute"));
    TRY_LET(Bytes oid, pair.take(der::kOid, "name.type"));
    uint8_t tag = 0;
    TRY_LET(Bytes value, pair.take_any("name.value", &tag));
    if (oid.size() != 3 || oid[0] != 0x55 || oid[1] != 0x04 || oid[2] != wanted.last) continue;
    if (!out.empty()) out += ", ";
    out += wanted.label;
    append_printable(value, tag == kBmpString, out);
  }
  return success();
}

Result<std::string> text_of(Bytes name) {
  std::string out;
  for (const Attribute& wanted : kShown) {
    DerReader outer(name, Code::bad_certificate);
    TRY_LET(DerReader list, outer.enter(der::kSequence, "name"));
    while (!list.empty()) {
      TRY_LET(DerReader set, list.enter(der::kSet, "name.set"));
      TRY(append_matching(set, wanted, out));
    }
  }
  return out;
}
}  // namespace

std::string name_text(Bytes name, size_t max) {
  Result<std::string> text = text_of(name);
  if (!text.ok()) return {};
  if (text->size() > max) text->resize(max);
  return *text;
}

}  // namespace cstl
