# Sourced, after setup.sh, by the commands that are a Python module with a name: what they share.
# shellcheck shell=bash

# zeroipc_python_command MODULE ARGUMENT...: becomes that module, run by a python3 that can.
zeroipc_python_command() {
  local python
  python=$(zeroipc_pick_python "${ZEROIPC_PYTHON_MODULES[@]}") || exit 1
  zeroipc_run_python exec "$python" -m "$@"
}

# zeroipc_harness_for ARGUMENT...: builds zeroipc-bench, unless the arguments show that it is not needed or is named.
zeroipc_harness_for() {
  local argument build=$ZEROIPC_ROOT/build/release
  for argument; do
    case $argument in
      -h | --help | --redraw | --redraw=* | --harness | --harness=*) return 0 ;;
    esac
  done
  zeroipc_ensure report || exit 1
  zeroipc_configure release "$build" || exit 1
  zeroipc_build "$build" zeroipc-bench || exit 1
}
