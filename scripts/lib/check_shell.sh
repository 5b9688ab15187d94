#!/usr/bin/env bash
# Every shell script parses, and shellcheck, where there is one, has nothing to say; ctest calls it.
set -euo pipefail

scripts=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd -P)
files=("$scripts"/{bench,compare,core-to-core,micro,report,results,selftest,test,topology} "$scripts"/lib/*.sh)
for file in "${files[@]}"; do
  bash -n "$file"
done
if command -v shellcheck >/dev/null; then
  # Run there, so that the `source=` hints, which are relative to each script, are found.
  shellcheck --external-sources --source-path=SCRIPTDIR "${files[@]}"
else
  printf 'shellcheck is not installed: only the syntax was checked\n'
fi
