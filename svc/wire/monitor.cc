#include "svc/wire/monitor.h"

#include "svc/wire/join.h"
#include "svc/wire/secret_field.h"

namespace cstl {

Result<RekeyRequest> RekeyRequest::decode(Bytes body) {
  Reader r(body);
  RekeyRequest m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.owner_key, r.fixed<65>());
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> RekeyRequest::encode() const {
  return write_secrets(kKeySize + owner_key.size(), [&](Writer& w) {
    w.bytes(disk_key.declassify());
    w.bytes(owner_key);
  });
}

Result<PowerRequest> PowerRequest::decode(Bytes body) {
  Reader r(body);
  PowerRequest m;
  TRY_LET(uint8_t action, r.u8());
  m.action = static_cast<PowerAction>(action);
  if (m.action != PowerAction::off && m.action != PowerAction::reboot) return fail(Code::bad_value, "power.action");
  TRY(r.finish());
  return m;
}

Result<Bytes> PowerRequest::encode(MutBytes out) const {
  Writer w(out);
  w.u8(static_cast<uint8_t>(action));
  return w.finish();
}

Result<StartRequest> StartRequest::decode(Bytes body) {
  Reader r(body);
  StartRequest m;
  TRY_LET(const Bytes name, r.bytes16(kMaxProgramName));
  TRY_LET(const Bytes arguments, r.bytes32(kMaxArgumentBytes));
  TRY(r.finish());
  if (!valid_node_name(name)) return fail(Code::bad_value, "start.name");
  if (arguments.empty()) return fail(Code::bad_value, "start.arguments");
  m.name = name.text();
  std::string_view left = arguments.text();
  while (true) {
    if (m.arguments.size() == kMaxArguments) return fail(Code::too_long, "start.arguments");
    const size_t end = left.find('\0');
    m.arguments.emplace_back(left.substr(0, end));
    if (end == std::string_view::npos) return m;
    left.remove_prefix(end + 1);
  }
}

Result<Bytes> StartRequest::encode(MutBytes out) const {
  if (name.size() > kMaxProgramName || !valid_node_name(name)) return fail(Code::bad_value, "start.name");
  if (arguments.empty() || arguments.size() > kMaxArguments) return fail(Code::bad_value, "start.arguments");
  std::string joined;
  for (const std::string& argument : arguments) {
    if (argument.find('\0') != std::string::npos) return fail(Code::bad_value, "start.arguments");
    if (&argument != &arguments.front()) joined += '\0';
    joined += argument;
  }
  if (joined.empty() || joined.size() > kMaxArgumentBytes) return fail(Code::bad_value, "start.arguments");
  Writer w(out);
  w.bytes16(name);
  w.bytes32(joined);
  return w.finish();
}

}  // namespace cstl
