"""Waits until Prometheus has scraped all five services; then compares its figures with what tests/svc/metrics/cluster.cc did,
runs every query of the dashboard and of the rules, and compares the metrics with those that they and the docs name."""
import json
import re
import sys
import time
import urllib.parse
import urllib.request

import yaml

base, dashboard_path, rules_path, docs_path = sys.argv[1:]
wrong = []


def get(path, **query):
    url = base + path + ("?" + urllib.parse.urlencode(query) if query else "")
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def query(text):
    answer = get("/api/v1/query", query=text)
    if answer["status"] != "success":
        wrong.append("%s: %s" % (text, answer.get("error")))
        return []
    return answer["data"]["result"]


JOBS = ["attester", "joinservice", "keyservice", "nodenetwork", "verificationservice"]
for _ in range(300):
    try:
        up = {r["metric"]["job"] for r in query("up == 1")}
        if up == {"cstl-" + job for job in JOBS}:
            break
    except OSError:
        pass
    time.sleep(0.2)
else:
    print("not all services are up:", query("up"))
    targets = get("/api/v1/targets")["data"]["activeTargets"]
    print([(t["labels"]["job"], t["lastError"]) for t in targets])
    sys.exit(1)

# What happened, and nothing else. A number: exactly; a pair: between.
EXPECTED = {
    'cstl_joins_total{request="join",verdict="admitted"}': 2,
    'cstl_joins_total{request="join",verdict="refused"}': 1,
    'cstl_joins_total{request="rejoin",verdict="admitted"}': 1,
    'cstl_joins_total{request="rejoin",verdict="refused"}': 1,
    'cstl_joins_refused_total{request="join",reason="role_refused"}': 1,
    'cstl_joins_refused_total{request="rejoin",reason="unknown_node"}': 1,
    'cstl_verdicts_total{verdict="passed",reason="ok"}': 5,
    'cstl_verdicts_total{verdict="refused",reason="reference_mismatch"}': 1,
    'cstl_handshakes_total{job="cstl-joinservice",result="opened"}': 5,
    'cstl_handshakes_total{job="cstl-joinservice",result="refused"}': 2,
    'cstl_handshakes_refused_total{job="cstl-joinservice",cause="reference_mismatch"}': 1,
    'sum(cstl_handshakes_refused_total{job="cstl-joinservice",cause!="reference_mismatch"})': 1,
    'cstl_handshakes_total{job="cstl-verificationservice",result="refused"}': 1,
    'cstl_sessions_open{job="cstl-joinservice"}': 0,
    'cstl_appraisal_seconds_count': 6,
    'cstl_appraisal_seconds_bucket{le="10"}': 6,
    'cstl_appraisal_seconds_sum': (0.00001, 10),
    # A session may end before its own evidence was asked for, and several may share a quote.
    'cstl_evidence_seconds_count{job="cstl-joinservice"}': (5, 6),
    'cstl_evidence_seconds_sum{job="cstl-joinservice"}': (0.001, 60),
    'sum(cstl_evidence_failed_total)': 0,
    'cstl_attester_requests_total{request="quote",result="ok"}': (5, 6),
    'cstl_attester_sessions_total': (5, 6),
    'cstl_attester_quote_seconds_count': (5, 6),
    'cstl_reference_reloads_total{result="loaded"}': 2,
    'cstl_reference_reloads_total{result="rejected"}': 1,
    'cstl_reference_sets': 2,
    'cstl_reference_expiry_timestamp_seconds - time()': (80000, 86400),
    'cstl_node_records': 2,
    'cstl_store_synced': 1,
    'cstl_join_jobs_open': 0,
    'cstl_key_releases_total{class="disk"}': 3,
    'cstl_key_releases_total{class="cluster/measurement"}': 3,
    'cstl_key_releases_total{class="cluster/secrets"}': 0,
    'cstl_requests_refused_total{job="cstl-keyservice",reason="peer_credentials"}': 1,
    'cstl_api_requests_total{job="cstl-joinservice",result="ok"}': (10, 500),
    'cstl_api_requests_total{job="cstl-nodenetwork",result="ok"}': (2, 100),
    'cstl_network_ready': 0,
    'cstl_network_rounds_total{result="not_ready"}': (1, 100),
    'cstl_wireguard_peers': 0,
    'count(cstl_build_info{version!=""})': 5,
    'count(process_resident_memory_bytes > 500000)': 5,
    'count(process_resident_memory_bytes < 64 * 1048576)': 5,
    'count(process_open_fds > 3)': 5,
    'count(process_open_fds < 40)': 5,
    'count(time() - process_start_time_seconds < 600)': 5,
    'count(process_cpu_seconds_total > 0)': 5,
}
for text, expected in EXPECTED.items():
    low, high = expected if isinstance(expected, tuple) else (expected, expected)
    result = query(text)
    if len(result) != 1 or not low <= float(result[0]["value"][1]) <= high:
        wrong.append("%s is %s, not %s" % (text, [(r["metric"], r["value"][1]) for r in result], expected))

# The dashboard and the rules.
names = set(get("/api/v1/label/__name__/values")["data"])
described = set(get("/api/v1/metadata")["data"])
dashboard = json.load(open(dashboard_path))
texts = []
ids = set()
for panel in dashboard["panels"]:
    if panel["id"] in ids:
        wrong.append("two panels have the id %d" % panel["id"])
    ids.add(panel["id"])
    for target in panel.get("targets", []):
        texts.append(target["expr"])
if len(texts) < 30:
    wrong.append("the dashboard has %d queries" % len(texts))
for group in yaml.safe_load(open(rules_path))["groups"]:
    texts += [rule["expr"] for rule in group["rules"]]
asked = set()
for text in texts:
    for variable, stands in (("$__rate_interval", "1m"), ("$node", ".*")):
        text = text.replace(variable, stands)
    if "$" in text:
        wrong.append("a variable is left in " + text)
    query(text)
    asked |= set(re.findall(r"\b(?:cstl|process)_[a-z_]+\b(?!-)", re.sub(r'"[^"]*"', '""', text)))
missing = asked - names
if missing:
    wrong.append("asked for, but not there: %s" % sorted(missing))
health = [(r["name"], r["lastError"]) for g in get("/api/v1/rules")["data"]["groups"] for r in g["rules"] if r["health"] == "err"]
if health:
    wrong.append("rules that fail: %s" % health)

# The docs name each metric, with its kind, and no other; the dashboard shows each of cstl's.
table = dict(re.findall(r"^\| `((?:cstl|process)_[a-z_]+)` \| (counter|gauge|histogram) \|", open(docs_path).read(), re.M))
kinds = {name: entries[0]["type"] for name, entries in get("/api/v1/metadata")["data"].items()
         if name.startswith(("cstl_", "process_"))}
if table != kinds:
    wrong.append("docs/metrics.md differs: %s" % sorted(set(table.items()) ^ set(kinds.items())))
shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
unshown = {name for name in kinds if name.startswith("cstl_")} - shown
if unshown:
    wrong.append("no panel shows %s" % sorted(unshown))
print("\n".join(wrong) or "%d metrics, %d queries" % (len(kinds), len(texts)))
sys.exit(bool(wrong))
