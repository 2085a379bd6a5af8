"""Each line that the services wrote is one JSON object: UTC time, level, program, event, then strings and integers. Its event
is one that docs/metrics.md lists for the program, and each event that the sources know is listed."""
import datetime
import glob
import json
import re
import sys

docs = open(sys.argv[1]).read()
listed = {}
for event, programs in re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| ([a-z, ]+) \|", docs, re.M):
    listed[event] = programs.split(", ")
wrong = []


def pairs(items):
    keys = [key for key, _ in items]
    if len(keys) != len(set(keys)):
        wrong.append("a key comes twice: %s" % keys)
    return dict(items)


lines = 0
programs = set()
for path in sys.argv[2:]:
    for line in open(path, "rb").read().decode("ascii").splitlines():
        lines += 1
        try:
            entry = json.loads(line, object_pairs_hook=pairs)
        except ValueError as error:
            wrong.append("%s: %s: %s" % (path, error, line))
            continue
        if list(entry)[:4] != ["time", "level", "program", "event"]:
            wrong.append("the first keys of " + line)
            continue
        when = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        if abs((datetime.datetime.utcnow() - when).total_seconds()) > 600:
            wrong.append("the time of " + line)
        if entry["level"] not in ("info", "warning", "error"):
            wrong.append("the level of " + line)
        if entry["level"] == "error" and not {"code", "site", "advice"} <= set(entry):
            wrong.append("an error without code, site or advice: " + line)
        programs.add(entry["program"])
        short = entry["program"].replace("cstl-", "")
        if short not in listed.get(entry["event"], []) and "all" not in listed.get(entry["event"], []):
            wrong.append("%s of %s is not listed" % (entry["event"], short))
        if not all(isinstance(value, (str, int)) for value in entry.values()):
            wrong.append("a value that is neither string nor integer: " + line)
if len(programs) != 5 or lines < 12:
    wrong.append("%d lines of %s" % (lines, sorted(programs)))

source = "".join(open(name).read() for name in glob.glob("svc/**/*.cc", recursive=True))
known = set(re.findall(r'"([a-z]+\.[a-z_]+)"', "".join(re.findall(r'log_(?:info|warning|error)\([^;]*', source))))
known = {event for event in known if event.split(".")[0] not in ("arguments",)}
known |= {"node.joined", "node.rejoined"}   # by event_of()
if known != set(listed):
    wrong.append("docs and sources differ: %s" % sorted(known ^ set(listed)))
print("\n".join(wrong) or "%d lines" % lines)
sys.exit(bool(wrong))
