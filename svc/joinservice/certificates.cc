#include "svc/joinservice/certificates.h"

#include <algorithm>
#include <ctime>

#include "crypto/base/base64.h"
#include "crypto/base/fd.h"
#include "crypto/base/utc.h"
#include "crypto/x509.h"
#include "svc/joinservice/node_object.h"

namespace cstl {

namespace {
using kubernetes::Change;
using kubernetes::Json;
constexpr const char* kPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr std::string_view kClientSigner = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kServingSigner = "kubernetes.io/kubelet-serving";
constexpr std::string_view kNodeUser = "system:node:";
constexpr int kSignMs = 10'000;
constexpr int kTickMs = 500;
constexpr int kJudgeAgainMs = 3000;
constexpr int kApprovals = 4;  // of one request, while others write it too
constexpr size_t kMaxUndecided = 1024;
constexpr size_t kMaxPem = 16 * 1024;

const Json* member(const Json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

std::string text(const Json* value) {
  return value != nullptr && value->is_string() ? value->get_ref<const std::string&>() : std::string();
}

bool lists(const Json* array, std::string_view wanted) {
  if (array == nullptr || !array->is_array()) return false;
  return std::any_of(array->begin(), array->end(), [&](const Json& one) { return text(&one) == wanted; });
}

bool has_condition(const Json& object, std::string_view type) {
  const Json* conditions = member(member(&object, "status"), "conditions");
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(),
                     [&](const Json& one) { return text(member(&one, "type")) == type; });
}

// "digital signature", "server auth", and "key encipherment", which kubelets ask for with any key.
bool serving_usages(const Json* usages) {
  if (usages == nullptr || !usages->is_array()) return false;
  for (const Json& usage : *usages) {
    const std::string name = text(&usage);
    if (name != "digital signature" && name != "key encipherment" && name != "server auth") return false;
  }
  return lists(usages, "server auth");
}

Result<std::string> random_letters() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz012345";  // 32 of them: no bias
  std::array<uint8_t, 10> noise{};
  TRY(random_bytes(noise));
  std::string out;
  for (uint8_t byte : noise) out += kLetters[byte % kLetters.size()];
  return out;
}

Result<std::string> check_certificate(const std::string& encoded, const P256Point& key) {
  auto pem = from_base64(encoded, kMaxPem);
  if (!pem.ok()) return fail(Code::bad_certificate, "certificates.base64");
  TRY_LET(auto chain, certificates_from_file(*pem));
  if (chain.empty()) return fail(Code::bad_certificate, "certificates.empty");
  TRY_LET(PublicKey own, certificate_key(chain.front()));
  if (own.kind != KeyKind::p256 || !equal(own.point, key)) return fail(Code::bad_certificate, "certificates.key");
  return std::string(Bytes(*pem).text());
}
}  // namespace

Result<std::string> judge_serving_request(const Json& object, const Nodes& nodes) {
  const Json* spec = member(&object, "spec");
  const std::string user = text(member(spec, "username"));
  if (user.compare(0, kNodeUser.size(), kNodeUser) != 0) return fail(Code::csr_refused, "serving.user");
  const std::string name = user.substr(kNodeUser.size());
  if (!valid_node_name(name)) return fail(Code::csr_refused, "serving.name");
  if (!lists(member(spec, "groups"), "system:nodes")) return fail(Code::csr_refused, "serving.group");
  if (!serving_usages(member(spec, "usages"))) return fail(Code::csr_refused, "serving.usages");
  auto pem = from_base64(text(member(spec, "request")), kMaxPem);
  if (!pem.ok()) return fail(Code::csr_refused, "serving.base64");
  TRY_LET(CertificateRequest request, parse_certificate_request_pem(Bytes(*pem).text()));
  const NodeRecord* record = nodes.find_name(name);
  if (record == nullptr) return fail(Code::unknown_node, "serving.record");
  TRY(check_serving_request(request, name, record->address));
  return name;
}

Certificates::Certificates(kubernetes::Client& client, Loop& loop, const Nodes& nodes, CertificateHooks hooks)
    : client_(client), loop_(loop), nodes_(nodes), hooks_(std::move(hooks)) {
  timer_ = loop_.every(kTickMs, [this] { tick(); });
}

Certificates::~Certificates() {
  client_.cancel(watch_);
  loop_.cancel(timer_);
}

void Certificates::start() {
  kubernetes::Watcher watcher;
  watcher.on_object = [this](Change change, const Json& object) {
    if (change != Change::deleted) return changed(object);
    const std::string name = object_meta(object, "name");
    undecided_.erase(name);
    finish(name, fail(Code::certificate_late, "certificates.deleted"));
  };
  watcher.on_error = [this](const Error& error) {
    if (hooks_.on_problem) hooks_.on_problem("certificates.watch", error, client_.problem());
  };
  watch_ = client_.watch(kPath, std::move(watcher));
}

void Certificates::issue(const std::string& node, Bytes der, const P256Point& key,
                         std::function<void(Result<std::string>)> done) {
  auto letters = random_letters();
  if (!letters.ok()) return done(letters.error());
  const std::string request = "cstl-" + node + "-" + *letters;
  pending_[request] = Pending{key, monotonic_ms() + kSignMs, std::move(done)};
  Json object = {{"apiVersion", "certificates.k8s.io/v1"},
                 {"kind", "CertificateSigningRequest"},
                 {"metadata", {{"name", request}}},
                 {"spec",
                  {{"request", to_base64(certificate_request_pem(der))},
                   {"signerName", kClientSigner},
                   {"usages", {"digital signature", "key encipherment", "client auth"}}}}};
  client_.create_object(kPath, object, [this, request](Result<Json> made) {
    if (!made.ok()) return finish(request, made.error());
    approve(*made, "AttestedNode", kApprovals, [this, request](Status approved) {
      if (!approved.ok()) finish(request, approved.error());
    });
  });
}

void Certificates::approve(const Json& object, const char* reason, int tries, std::function<void(Status)> done) {
  const std::string now = utc_text(time(nullptr));
  Json condition = {{"type", "Approved"},       {"status", "True"},      {"reason", reason},
                    {"message", "approved by cstl-joinservice"}, {"lastUpdateTime", now}};
  // With its resourceVersion: what is approved is what was judged.
  Json patch = {{"metadata", {{"resourceVersion", object_meta(object, "resourceVersion")}}},
                {"status", {{"conditions", Json::array({condition})}}}};
  client_.merge_patch(std::string(kPath) + "/" + kubernetes::path_segment(object_meta(object, "name")) + "/approval", patch,
                      [this, object, reason, tries, done](Result<Json> answer) {
    if (answer.code() == Code::api_conflict && tries > 1) return approve_again(object, reason, tries - 1, done);
    done(answer.ok() ? success() : Status(answer.error()));
  });
}

// Somebody else wrote it: another joinservice, or the controller manager. What is asked for cannot change in an object,
// but another object may have taken its name.
void Certificates::approve_again(const Json& before, const char* reason, int tries, std::function<void(Status)> done) {
  client_.get(std::string(kPath) + "/" + kubernetes::path_segment(object_meta(before, "name")),
              [this, before, reason, tries, done](Result<Json> now) {
    if (!now.ok()) return done(now.error());
    if (object_meta(*now, "uid") != object_meta(before, "uid")) return done(fail(Code::api_conflict, "certificates.uid"));
    if (has_condition(*now, "Approved")) return done(success());
    if (has_condition(*now, "Denied")) return done(fail(Code::csr_refused, "certificates.denied"));
    approve(*now, reason, tries, done);
  });
}

void Certificates::finish(const std::string& request, Result<std::string> result) {
  auto found = pending_.find(request);
  if (found == pending_.end()) return;
  auto done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(result));
}

void Certificates::changed(const Json& object) {
  const std::string name = object_meta(object, "name");
  const std::string certificate = text(member(member(&object, "status"), "certificate"));
  if (auto own = pending_.find(name); own != pending_.end()) {
    if (!certificate.empty()) return finish(name, check_certificate(certificate, own->second.key));
    if (has_condition(object, "Denied") || has_condition(object, "Failed")) {
      finish(name, fail(Code::csr_refused, "certificates.denied"));
    }
    return;
  }
  if (text(member(member(&object, "spec"), "signerName")) != kServingSigner) return;
  if (!certificate.empty() || member(member(&object, "status"), "conditions") != nullptr) {
    undecided_.erase(name);
    return;
  }
  judge(name, object);
}

void Certificates::judge(const std::string& name, const Json& object) {
  auto node = judge_serving_request(object, nodes_);
  if (!node.ok()) {
    const bool first = undecided_.count(name) == 0;
    if (node.code() == Code::unknown_node && (!first || undecided_.size() < kMaxUndecided)) {
      if (first) undecided_.emplace(name, object);
    } else {
      undecided_.erase(name);
    }
    if (first && hooks_.on_serving_left) {
      hooks_.on_serving_left(name, text(member(member(&object, "spec"), "username")), node.error());
    }
    return;
  }
  const std::string who = *node;
  undecided_.erase(name);
  approve(object, "NodeOnRecord", kApprovals, [this, name, who](Status approved) {
    if (approved.ok()) {
      if (hooks_.on_serving_approved) hooks_.on_serving_approved(who, name);
    } else if (hooks_.on_problem) {
      hooks_.on_problem("certificates.approve", approved.error(), client_.problem());
    }
  });
}

void Certificates::tick() {
  int64_t now = monotonic_ms();
  std::vector<std::string> late;
  for (const auto& [name, pending] : pending_) {
    if (pending.deadline <= now) late.push_back(name);
  }
  for (const std::string& name : late) finish(name, fail(Code::certificate_late, "certificates.wait"));
  if (undecided_.empty() || now < judge_again_) return;
  judge_again_ = now + kJudgeAgainMs;
  std::map<std::string, Json> again = undecided_;
  for (const auto& [name, object] : again) judge(name, object);
}

}  // namespace cstl
