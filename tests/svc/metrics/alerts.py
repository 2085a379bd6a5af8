"""Each alert has a summary, a description and a case in the unit test in which it fires. Writes the rules without their words,
which the unit test is not about."""
import sys

import yaml

rules_path, test_path, out = sys.argv[1:]
rules = yaml.safe_load(open(rules_path))
test = yaml.safe_load(open(test_path))
fires = {row["alertname"] for group in test["tests"] for row in group["alert_rule_test"] if row.get("exp_alerts")}
wrong = []
seen = set()
for group in rules["groups"]:
    for rule in group["rules"]:
        name = rule["alert"]
        words = rule.pop("annotations", {})
        for word in ("summary", "description"):
            if not words.get(word):
                wrong.append(name + " has no " + word)
        if name in seen:
            wrong.append(name + " is there twice")
        if name not in fires:
            wrong.append(name + " fires in no case")
        seen.add(name)
wrong += [name + " is no alert" for name in fires - seen]
yaml.safe_dump(rules, open(out, "w"))
print("\n".join(wrong) or "%d alerts" % len(seen))
sys.exit(bool(wrong))
