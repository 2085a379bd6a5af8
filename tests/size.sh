#!/usr/bin/env bash
# The programs as they ship against their budgets in policy/size/NAME.budget (bytes, one number; # starts a comment).
#   tests/size.sh [FOLDER]      (default: build/release)
# Fails on a program over its budget, on one without a budget, and on a budget without a program.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-build/release}
status=0

printf '%-28s %10s %10s %7s\n' program bytes budget used
for file in policy/size/*.budget; do
  name=$(basename "$file" .budget)
  budget=$(sed 's/#.*//' "$file" | tr -d '[:space:]')
  if ! [[ $budget =~ ^[0-9]+$ ]]; then
    echo "size: $file holds no number" >&2
    status=1
    continue
  fi
  if ! [ -x "$folder/$name" ]; then
    echo "size: $folder/$name is missing" >&2
    status=1
    continue
  fi
  bytes=$(stat -c %s "$folder/$name")
  note=
  if [ "$bytes" -gt "$budget" ]; then
    note='  over budget'
    status=1
  fi
  printf '%-28s %10d %10d %6d%%%s\n' "$name" "$bytes" "$budget" $((bytes * 100 / budget)) "$note"
done
for program in "$folder"/cstl "$folder"/cstl-*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  if ! [ -e "policy/size/$(basename "$program").budget" ]; then
    echo "size: $program has no budget in policy/size" >&2
    status=1
  fi
done
exit $status
