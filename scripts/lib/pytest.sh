#!/usr/bin/env bash
# Runs the tests of the scripts with a python3 that can; ctest calls it. Arguments replace what pytest is given.
set -euo pipefail

ZEROIPC_COMMAND=scripts/lib/pytest.sh
# shellcheck source=setup.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/setup.sh"

python=$(zeroipc_pick_python "${ZEROIPC_PYTHON_MODULES[@]}" "${ZEROIPC_TEST_MODULES[@]}") || exit 1
cd "$ZEROIPC_ROOT"
zeroipc_run_python "$python" -m pytest -q -p no:cacheprovider "${@:-scripts/tests}"
