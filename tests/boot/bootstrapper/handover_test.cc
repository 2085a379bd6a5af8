#include "boot/bootstrapper/handover.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <thread>

namespace cstl {
namespace {

Metadata metadata_of(Role role) {
  Metadata m;
  m.name = "node-0";
  m.role = role;
  m.variant = Variant::tpm;
  return m;
}

std::string references() {
  ReferenceSet set;
  set.id = "one";
  set.not_after = 4000000000;
  set.roles = 6;
  set.allow_unendorsed_ak = true;
  set.pcrs.emplace_back();
  set.pcrs.back().index = 4;
  set.pcrs.back().expected = {Digest32{}};
  ReferenceValues values;
  values.sets.push_back(set);
  return values.to_json();
}

JoinTicket ticket() {
  JoinTicket t;
  t.disk_key.fill().data()[0] = 1;
  t.measurement_key.fill().data()[0] = 2;
  t.measurement_salt.fill(3);
  t.owner_key.fill(5);
  t.owner_key[0] = 4;
  return t;
}

constexpr int64_t kNow = 1790000000;

InitRequest request_of(const std::string& values) {
  InitRequest r;
  r.master.key.fill().data()[0] = 6;
  r.master.salt.fill().data()[0] = 7;
  r.measurement_salt.fill(3);
  r.owner_key.fill(5);
  r.owner_key[0] = 4;
  r.reference_values = values;
  return r;
}

// A worker's from a ticket, a control plane's from an init request.
Result<Admission> admission_of(Role role, const std::string& values, std::string* problem) {
  if (role == Role::worker) return Admission::from_ticket(ticket(), metadata_of(role), problem);
  return Admission::from_init(request_of(values), metadata_of(role), Uuid{}, kNow, problem);
}

}  // namespace

TEST_CASE("admission: a ticket gives a worker its disk key only, init gives a control plane what it needs to serve joins") {
  std::string values = references(), problem;
  for (Role role : {Role::worker, Role::control_plane}) {
    auto a = admission_of(role, values, &problem);
    REQUIRE_MESSAGE(a.ok(), problem);
    CHECK(a->node.name == "node-0");
    CHECK(a->node.role == role);
    CHECK(a->node.variant == Variant::tpm);
    CHECK(a->node.owner_key == ticket().owner_key);
    CHECK(a->master.has_value() == (role == Role::control_plane));
    CHECK(a->reference_values == (role == Role::control_plane ? values : ""));
    if (role == Role::worker) {
      CHECK(a->node.cluster_id == *derive_cluster_id(ticket().measurement_key, ticket().measurement_salt));
      CHECK(ct_equal(a->disk_key.declassify(), ticket().disk_key.declassify()));
    }

    auto encoded = encode_admission(*a);
    REQUIRE(encoded.ok());
    auto again = decode_admission(encoded->declassify());
    REQUIRE(again.ok());
    auto twice = encode_admission(*again);
    REQUIRE(twice.ok());
    CHECK(equal(encoded->declassify(), twice->declassify()));
    for (size_t n = 0; n < encoded->size(); ++n) CHECK(!decode_admission(encoded->declassify().first(n)).ok());
    std::vector<uint8_t> longer = encoded->declassify().copy();
    longer.push_back(0);
    CHECK(decode_admission(longer).code() == Code::trailing);
  }
}

TEST_CASE("admission: a ticket of another role, or bad reference values, are refused") {
  std::string values = references(), problem;
  CHECK(Admission::from_ticket(ticket(), metadata_of(Role::control_plane), &problem).code() == Code::bad_value);
  CHECK(admission_of(Role::control_plane, "{}", &problem).code() == Code::reference_malformed);
  CHECK(Admission::from_init(request_of(values), metadata_of(Role::control_plane), Uuid{}, 4100000000, &problem).code() ==
        Code::reference_expired);
}

TEST_CASE("handover: each bad field of an admission has its own code") {
  std::string problem, values = references();
  auto a = admission_of(Role::worker, values, &problem);
  REQUIRE(a.ok());
  auto encoded = encode_admission(*a);
  REQUIRE(encoded.ok());
  const std::vector<uint8_t> good = encoded->declassify().copy();
  const size_t flag = good.size() - 13;  // then three lengths: reference values, cluster, ticket
  auto with = [&good](size_t at, uint8_t value) {
    std::vector<uint8_t> out = good;
    out[at] = value;
    return out;
  };
  CHECK(decode_admission(with(0, 0x7f)).code() == Code::too_long);
  CHECK(decode_admission(with(2, 'x')).code() == Code::node_state);
  CHECK(decode_admission(with(flag, 2)).code() == Code::bad_value);
  for (size_t field : {flag + 1, flag + 5, flag + 9}) CHECK(decode_admission(with(field, 1)).code() == Code::too_long);
  for (size_t field : {flag + 1, flag + 5, flag + 9}) {
    CAPTURE(field - flag);
    std::vector<uint8_t> more = with(field + 3, 1);  // a worker without Kubernetes has none of them
    more.insert(more.begin() + static_cast<ptrdiff_t>(field) + 4, '{');
    CHECK(decode_admission(more).code() == Code::bad_value);
  }
}

TEST_CASE("handover: an init with Kubernetes brings a configuration, one without brings none") {
  std::string problem, values = references();
  std::string cluster = R"({"cstl":"cluster/1","name":"demo","kubernetes":"v1.20.2","endpoint":"10.0.2.15:6443",)"
                        R"("service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16"})";
  InitRequest request = request_of(values);
  request.cluster = cluster;
  auto a = Admission::from_init(request, metadata_of(Role::control_plane), Uuid{}, kNow, &problem);
  REQUIRE_MESSAGE(a.ok(), problem);
  CHECK(a->node.kubernetes);
  CHECK(a->cluster == cluster);
  auto encoded = encode_admission(*a);
  REQUIRE(encoded.ok());
  auto again = decode_admission(encoded->declassify());
  REQUIRE(again.ok());
  CHECK(again->node.kubernetes);
  CHECK(again->cluster == cluster);
  a->node.kubernetes = false;
  CHECK(decode_admission(encode_admission(*a)->declassify()).code() == Code::bad_value);
  a->node.kubernetes = true;
  a->cluster.clear();
  CHECK(decode_admission(encode_admission(*a)->declassify()).code() == Code::bad_value);

  std::string old = R"({"cstl":"cluster/1","name":"demo","kubernetes":"v1.19.2","endpoint":"10.0.2.15:6443",)"
                    R"("service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16"})";
  request.cluster = old;
  CHECK(Admission::from_init(request, metadata_of(Role::control_plane), Uuid{}, kNow, &problem).code() ==
        Code::kubernetes_version);
}

TEST_CASE("handover: admission and news pass through a socket pair; a closed, long or unknown one is refused") {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  Fd left(pair[0]), right(pair[1]);
  std::string problem, values = references();
  auto a = admission_of(Role::control_plane, values, &problem);
  REQUIRE(a.ok());
  std::thread giver([&] { CHECK(give_admission(left.get(), *a).ok()); });
  auto taken = take_admission(right.get());
  giver.join();
  REQUIRE(taken.ok());
  CHECK(taken->reference_values == values);

  CHECK(give_news(right.get(), News{News::Kind::failed, Code::disk_failed, std::string(300, 'x')}).ok());
  auto news = take_news(left.get());
  REQUIRE(news.ok());
  CHECK(news->kind == News::Kind::failed);
  CHECK(news->code == Code::disk_failed);
  CHECK(news->text == std::string(256, 'x'));

  const std::string kubeconfig(3000, 'k');  // longer than a step may be
  CHECK(give_news(right.get(), News{News::Kind::entered, Code::ok, kubeconfig}).ok());
  news = take_news(left.get());
  REQUIRE(news.ok());
  CHECK(news->text == kubeconfig);

  for (bool there : {true, false}) {
    std::thread asker([&] { CHECK(ask_for_client(right.get()).code() == (there ? Code::ok : Code::closed)); });
    auto asked = take_news(left.get());
    REQUIRE(asked.ok());
    CHECK(asked->kind == News::Kind::ask);
    CHECK(answer_for_client(left.get(), there).ok());
    asker.join();
  }

  const uint8_t unknown[] = {5, 0, 0, 0, 0}, huge[] = {0xff, 0xff, 0xff, 0xff};
  CHECK(write_all(right.get(), Bytes(unknown, sizeof unknown)).ok());
  CHECK(take_news(left.get()).code() == Code::bad_value);
  CHECK(write_all(left.get(), Bytes(huge, sizeof huge)).ok());
  CHECK(take_admission(right.get()).code() == Code::too_long);
  left = Fd();
  CHECK(take_admission(right.get()).code() == Code::closed);
  CHECK(take_news(right.get()).code() == Code::closed);
}

}  // namespace cstl
