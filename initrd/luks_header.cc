#include "initrd/luks_header.h"

#include <algorithm>

#include "crypto/base/json.h"

namespace cstl {
namespace {

using nlohmann::json;

constexpr size_t kMaxJson = kLuksCopy - kLuksBinary;

Error refuse(const char* site) { return fail(Code::disk_header, site); }

bool all_zero(Bytes data) {
  return std::all_of(data.begin(), data.end(), [](uint8_t b) { return b == 0; });
}

// A fixed field that holds `text` and zeros.
bool holds(Bytes field, std::string_view text) {
  return field.size() >= text.size() && equal(field.first(text.size()), text) && all_zero(field.skip(text.size()));
}

// --- binary header: all integers big endian -----------------------------------------------------------------------
struct Copy {
  bool luks = false;       // carries the magic
  bool ours = false;       // label and subsystem
  bool intact = false;     // checksum
  uint64_t sequence = 0;
  Uuid uuid{};
  std::string_view json;
};

Status parse_binary(Reader r, bool secondary, Copy* out) {
  constexpr uint8_t kMagic1[] = {'L', 'U', 'K', 'S', 0xba, 0xbe}, kMagic2[] = {'S', 'K', 'U', 'L', 0xba, 0xbe};
  TRY_LET(Bytes magic, r.bytes(6));
  out->luks = equal(magic, secondary ? Bytes(kMagic2, 6) : Bytes(kMagic1, 6));
  if (!out->luks) return refuse("luks.magic");
  TRY_LET(uint16_t version, r.u16());
  TRY_LET(uint64_t size, r.u64());
  TRY_LET(out->sequence, r.u64());
  TRY_LET(Bytes label, r.bytes(48));
  TRY_LET(Bytes algorithm, r.bytes(32));
  TRY(r.bytes(64));  // salt: makes the two checksums differ, nothing more
  TRY_LET(Bytes uuid, r.bytes(40));
  TRY_LET(Bytes subsystem, r.bytes(48));
  TRY_LET(uint64_t offset, r.u64());
  TRY_LET(Bytes padding, r.bytes(184));
  TRY(r.bytes(64));  // checksum
  TRY_LET(Bytes padding4096, r.bytes(7 * 512));
  out->ours = holds(label, kLuksLabel) && holds(subsystem, kLuksSubsystem);
  if (version != 2) return refuse("luks.version");
  if (!out->ours) return refuse("luks.subsystem");
  if (size != kLuksCopy) return refuse("luks.size");
  if (offset != (secondary ? kLuksCopy : 0)) return refuse("luks.offset");
  if (!holds(algorithm, "sha256")) return refuse("luks.checksum_alg");
  auto id = parse_uuid(uuid.first(36).text());
  if (!id || !all_zero(uuid.skip(36))) return refuse("luks.uuid");
  out->uuid = *id;
  if (!all_zero(padding) || !all_zero(padding4096)) return refuse("luks.padding");
  return success();
}

// Success only for an intact copy of ours; `out` says how far it got.
Status parse_copy(Bytes area, bool secondary, Copy* out) {
  constexpr size_t kSum = 448;  // offset of the checksum, 64 bytes
  const Status form = parse_binary(Reader(area.first(kLuksBinary)), secondary, out);
  if (!out->luks) return form;
  const std::array<uint8_t, 64> zeros{};
  TRY_LET(Digest32 sum, sha256({area.first(kSum), zeros, area.skip(kSum + 64)}));
  out->intact = equal(area.skip(kSum).first(32), sum) && all_zero(area.skip(kSum + 32).first(32));
  TRY(form);
  if (!out->intact) return refuse("luks.checksum");
  const Bytes text = area.skip(kLuksBinary);
  const size_t end = static_cast<size_t>(std::find(text.begin(), text.end(), 0) - text.begin());
  if (!all_zero(text.skip(end))) return refuse("luks.json");
  out->json = text.first(end).text();
  return success();
}

// --- JSON area -----------------------------------------------------------------------------------------------------
bool only(const json& object, std::initializer_list<std::string_view> members) {
  if (!object.is_object() || object.size() != members.size()) return false;
  return std::all_of(members.begin(), members.end(), [&](std::string_view m) { return object.contains(m); });
}

bool is(const json& object, const char* member, std::string_view text) {
  const json& value = object[member];
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

bool in(const json& object, const char* member, uint64_t least, uint64_t most) {
  const json& value = object[member];
  return value.is_number_unsigned() && value.get<uint64_t>() >= least && value.get<uint64_t>() <= most;
}

bool base64(const json& object, const char* member) {
  constexpr const char* kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  const json& value = object[member];
  if (!value.is_string()) return false;
  const std::string& text = value.get_ref<const std::string&>();
  return !text.empty() && text.size() <= 128 && text.find_first_not_of(kAlphabet) == std::string::npos;
}

// A decimal string, as LUKS2 writes 64-bit numbers; false for anything else or beyond `most`.
bool decimal(const json& object, const char* member, uint64_t most, uint64_t* out) {
  const json& value = object[member];
  if (!value.is_string()) return false;
  const std::string& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > 12 || (text[0] == '0' && text.size() > 1)) return false;
  *out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    *out = *out * 10 + static_cast<uint64_t>(c - '0');
  }
  return *out <= most;
}

Status check_keyslot(const json& slot) {
  if (!only(slot, {"type", "key_size", "af", "area", "kdf"}) || !is(slot, "type", "luks2"))
    return refuse("luks.keyslot.type");
  if (!in(slot, "key_size", kLuksVolumeKey, kLuksVolumeKey)) return refuse("luks.keyslot.key_size");
  const json& af = slot["af"];
  if (!only(af, {"type", "stripes", "hash"}) || !is(af, "type", "luks1") || !in(af, "stripes", 4000, 4000) ||
      !is(af, "hash", "sha256"))
    return refuse("luks.keyslot.af");
  const json& area = slot["area"];
  if (!only(area, {"type", "offset", "size", "encryption", "key_size"}) || !is(area, "type", "raw"))
    return refuse("luks.keyslot.area");
  if (!is(area, "encryption", "aes-xts-plain64") || !in(area, "key_size", 64, 64))
    return refuse("luks.keyslot.encryption");
  uint64_t offset = 0, size = 0;
  constexpr uint64_t kEnd = kLuksHeaders + kLuksKeyslots;
  if (!decimal(area, "offset", kEnd, &offset) || !decimal(area, "size", kEnd, &size) || offset < kLuksHeaders ||
      offset % 4096 != 0 || size < kLuksVolumeKey * 4000 || size > kEnd - offset)
    return refuse("luks.keyslot.area");
  const json& kdf = slot["kdf"];
  if (!only(kdf, {"type", "time", "memory", "cpus", "salt"}) || !is(kdf, "type", "argon2id") || !base64(kdf, "salt"))
    return refuse("luks.keyslot.kdf");
  if (!in(kdf, "time", kArgonTime, 4 * kArgonTime) || !in(kdf, "memory", kArgonMemoryKib, 4 * kArgonMemoryKib) ||
      !in(kdf, "cpus", 1, 4))
    return refuse("luks.keyslot.kdf_cost");
  return success();
}

Status check_segment(const json& segments) {
  if (!only(segments, {"0"})) return refuse("luks.segments");
  const json& segment = segments["0"];
  if (!only(segment, {"type", "offset", "size", "iv_tweak", "encryption", "sector_size", "integrity"}) ||
      !is(segment, "type", "crypt"))
    return refuse("luks.segment.type");
  if (!is(segment, "encryption", "aes-xts-plain64")) return refuse("luks.segment.encryption");
  if (!is(segment, "offset", "2097152") || !is(segment, "size", "dynamic") || !is(segment, "iv_tweak", "0"))
    return refuse("luks.segment.offset");
  if (!in(segment, "sector_size", kLuksSector, kLuksSector)) return refuse("luks.segment.sector_size");
  const json& integrity = segment["integrity"];
  if (!only(integrity, {"type", "journal_encryption", "journal_integrity"}) || !is(integrity, "type", kLuksIntegrity) ||
      !is(integrity, "journal_encryption", "none") || !is(integrity, "journal_integrity", "none"))
    return refuse("luks.segment.integrity");
  return success();
}

Status check_digest(const json& digests, const std::string& slot) {
  if (!only(digests, {"0"})) return refuse("luks.digests");
  const json& digest = digests["0"];
  if (!only(digest, {"type", "keyslots", "segments", "hash", "iterations", "salt", "digest"}) ||
      !is(digest, "type", "pbkdf2") || !is(digest, "hash", "sha256") || !in(digest, "iterations", 1000, 10000000) ||
      !base64(digest, "salt") || !base64(digest, "digest"))
    return refuse("luks.digest.type");
  if (digest["keyslots"] != json::array({slot}) || digest["segments"] != json::array({"0"}))
    return refuse("luks.digest.of");
  return success();
}

Result<P256Point> check_sealed_token(const json& token) {
  P256Point owner{};
  if (!only(token, {"type", "keyslots", "state", "owner_key"}) || !is(token, "type", "cstl") ||
      token["keyslots"] != json::array() || !is(token, "state", "sealed") || !token["owner_key"].is_string())
    return refuse("luks.token.type");
  const std::string& hex = token["owner_key"].get_ref<const std::string&>();
  if (hex.size() != 2 * owner.size() || !from_hex(hex, owner).ok() || owner[0] != 4)
    return refuse("luks.token.owner_key");
  return owner;
}

Result<json> parse_area(std::string_view text) {
  auto root = parse_json(text, kMaxJson, 8);
  if (!root) return refuse("luks.json");
  if (!only(*root, {"keyslots", "tokens", "segments", "digests", "config"})) return refuse("luks.json");
  if (!(*root)["keyslots"].is_object()) return refuse("luks.keyslots");
  if (!(*root)["tokens"].is_object()) return refuse("luks.tokens");
  return root;
}

Result<P256Point> check_sealed(const json& root) {
  const json& config = root["config"];
  if (!only(config, {"json_size", "keyslots_size"}) || !is(config, "json_size", "12288") ||
      !is(config, "keyslots_size", "1048576"))
    return refuse("luks.config");  // flags and requirements end here too
  const json& slots = root["keyslots"];
  if (slots.size() != 1) return refuse("luks.keyslots");
  const std::string slot = slots.begin().key();
  if (slot != "0" && slot != "1") return refuse("luks.keyslots");
  TRY(check_segment(root["segments"]));
  TRY(check_keyslot(slots.begin().value()));
  TRY(check_digest(root["digests"], slot));
  return check_sealed_token(root["tokens"]["0"]);
}

Result<LuksHeader> judge(const Copy& copy) {
  LuksHeader out;
  out.uuid = copy.uuid;
  TRY_LET(const json root, parse_area(copy.json));
  const json& tokens = root["tokens"];
  if (tokens.empty() && root["keyslots"].empty()) {  // cut between format and token: no key opens it
    out.state = DiskState::fresh;
    return out;
  }
  if (!only(tokens, {"0"}) || !tokens["0"].is_object()) return refuse("luks.tokens");
  const json& token = tokens["0"];
  if (only(token, {"type", "keyslots", "state"}) && is(token, "type", "cstl") && is(token, "state", "fresh")) {
    out.state = DiskState::fresh;
    return out;
  }
  TRY_LET(out.owner_key, check_sealed(root));
  out.state = DiskState::sealed;
  return out;
}

}  // namespace

Result<P256Point> check_sealed_json(std::string_view text) {
  TRY_LET(const json root, parse_area(text));
  if (!only(root["tokens"], {"0"})) return refuse("luks.tokens");
  return check_sealed(root);
}

Result<LuksHeader> read_luks_header(Bytes headers) {
  if (headers.size() < kLuksHeaders) return fail(Code::truncated, "luks.headers");
  if (headers.size() > kLuksHeaders) return fail(Code::trailing, "luks.headers");
  if (all_zero(headers)) return LuksHeader{};
  const Bytes areas[] = {headers.first(kLuksCopy), headers.skip(kLuksCopy)};
  Copy first, second;
  const Status one = parse_copy(areas[0], false, &first), two = parse_copy(areas[1], true, &second);
  if (one.ok() && two.ok()) return judge(second.sequence > first.sequence ? second : first);
  // libcryptsetup may prefer a copy that is intact but not acceptable here: never overlook one.
  if (first.intact && !one.ok()) return one.error();
  if (second.intact && !two.ok()) return two.error();
  if (one.ok()) return judge(first);
  if (two.ok()) return judge(second);
  if (first.luks && first.ours && all_zero(areas[1])) {
    // The first format writes and flushes the primary before it touches the secondary, and erase() (initrd/luks.h)
    // clears the secondary first; so a damaged primary alone was never sealed.
    LuksHeader out;
    out.state = DiskState::fresh;
    return out;
  }
  if (!first.luks && !second.luks) return refuse("disk.foreign");
  if (first.luks && !first.ours) return one.error();
  return refuse("luks.checksum");
}

std::string luks_token(const P256Point* owner) {
  std::string out = R"({"type":"cstl","keyslots":[],"state":")";
  if (!owner) return out + "fresh\"}";
  return out + R"(sealed","owner_key":")" + to_hex(*owner) + "\"}";
}

}  // namespace cstl
