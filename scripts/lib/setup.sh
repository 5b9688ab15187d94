# Sourced by scripts/bench, scripts/test and the wrappers beside this file: what they share.
# shellcheck shell=bash
#
# Everything is found from this file's own place, so the commands work from any folder and through symbolic links.
# Functions return 1 after saying on stderr what went wrong and what to type; the commands run under `set -e`.

ZEROIPC_ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd -P)

ZEROIPC_BUILD_PACKAGES=(g++ cmake ninja-build pkg-config libhwloc-dev libnuma-dev catch2 libbenchmark-dev
  libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libpfm4-dev)
ZEROIPC_BUILD_TOOLS=(cmake ninja pkg-config)
ZEROIPC_BUILD_HEADERS=(hwloc.h numa.h catch2/catch.hpp benchmark/benchmark.h CLI/CLI.hpp nlohmann/json.hpp
  toml++/toml.h)
ZEROIPC_PYTHON_PACKAGES=(python3 python3-numpy python3-scipy python3-matplotlib python3-pandas python3-jinja2
  python3-rich)
ZEROIPC_PYTHON_MODULES=(numpy scipy matplotlib pandas jinja2 rich)
ZEROIPC_TEST_PACKAGES=(python3-pytest python3-jsonschema python3-hypothesis python3-pip python3-mypy libatomic1 librapidcheck-dev
  libboost-context-dev)
ZEROIPC_TEST_MODULES=(pytest jsonschema hypothesis)
# Other libraries to compare with. None is needed: what is missing is not compared with.
ZEROIPC_PEER_PACKAGES=(libboost-dev libtbb-dev libck-dev libatomic-queue-dev libconcurrentqueue-dev libxenium-dev
  libcds-dev liburcu-dev libiceoryx-hoofs-dev)
# What only long tests ask for, each of which is skipped without it: Arm, a machine of several NUMA nodes, libFuzzer.
ZEROIPC_LONG_PACKAGES=(g++-aarch64-linux-gnu qemu-user-static qemu-system-x86 clang libclang-rt-dev)

zeroipc_say() { printf '%s\n' "$*"; }
zeroipc_complain() { printf '%s: %s\n' "${ZEROIPC_COMMAND:-zeroipc}" "$*" >&2; }

# zeroipc_require_value ARGUMENT_COUNT OPTION: an option at the end of the line lacks its value.
zeroipc_require_value() {
  (($1 >= 2)) && return 0
  zeroipc_complain "$2 needs a value; see --help"
  exit 2
}

# --- packages ---------------------------------------------------------------------------------------------------

# zeroipc_missing_packages PACKAGE...: prints those that dpkg does not know as installed, one a line.
zeroipc_missing_packages() {
  local package
  for package in "$@"; do
    # shellcheck disable=SC2016  # ${Status} is dpkg-query's own field, not the shell's
    [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] ||
      printf '%s\n' "$package"
  done
}

# zeroipc_apt_install PACKAGE...: installs, quietly unless it fails.
zeroipc_apt_install() {
  local -a as_root=()
  local log status=0
  command -v apt-get >/dev/null || return 1
  if ((EUID != 0)); then
    command -v sudo >/dev/null || return 1
    as_root=(sudo)
    # Without a terminal nobody can answer a question for a password.
    [[ -t 0 ]] || as_root=(sudo -n)
  fi
  zeroipc_say "installing: $*"
  log=$(mktemp)
  {
    # A stale or unreachable index need not matter: the install below says whether it does.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 update || true
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
      install --no-install-recommends "$@"
  } >"$log" 2>&1 || status=1
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

# zeroipc_missing_parts MODULE...: what a build and the report lack, found by trying; prints one a line.
zeroipc_missing_parts() {
  local tool header compiler=${CXX:-}
  for tool in "${ZEROIPC_BUILD_TOOLS[@]}"; do
    command -v "$tool" >/dev/null || printf 'command %s\n' "$tool"
  done
  [[ -n $compiler ]] || compiler=$(command -v c++ || command -v g++ || command -v clang++ || true)
  if [[ -z $compiler ]]; then
    printf 'a C++ compiler\n'
  else
    for header in "${ZEROIPC_BUILD_HEADERS[@]}"; do
      printf '#include <%s>\n' "$header" | $compiler -std=c++20 -E -x c++ - >/dev/null 2>&1 ||
        printf 'header %s\n' "$header"
    done
  fi
  zeroipc_pick_python "$@" >/dev/null 2>&1 || printf 'a python3 with the modules %s\n' "$*"
}

# zeroipc_ensure report|tests: all that building and reporting need (and testing too) is there, or is installed now.
zeroipc_ensure() {
  local -a packages=("${ZEROIPC_BUILD_PACKAGES[@]}" "${ZEROIPC_PYTHON_PACKAGES[@]}")
  local -a modules=("${ZEROIPC_PYTHON_MODULES[@]}") missing=() parts=()
  local sudo=
  if [[ $1 == tests ]]; then
    packages+=("${ZEROIPC_TEST_PACKAGES[@]}")
    modules+=("${ZEROIPC_TEST_MODULES[@]}")
  fi
  if command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(zeroipc_missing_packages "${packages[@]}")
    ((${#missing[@]} == 0)) && return 0
    zeroipc_apt_install "${missing[@]}" && return 0
  else
    missing=("${packages[@]}")
  fi
  # Not Debian, or nothing could be installed: what counts is whether the parts are there, whoever put them there.
  mapfile -t parts < <(zeroipc_missing_parts "${modules[@]}")
  ((${#parts[@]} == 0)) && return 0
  zeroipc_complain "this machine lacks:"
  printf '  %s\n' "${parts[@]}" >&2
  zeroipc_complain "on Debian or Ubuntu, type this and start again (elsewhere, install the same by other names):"
  ((EUID == 0)) || sudo='sudo '
  printf '  %s\n' "${sudo}apt-get update && ${sudo}apt-get install -y ${missing[*]}" >&2
  return 1
}

# zeroipc_want WORDS PACKAGE...: installs those that can be installed, and names behind WORDS the others. Never fails.
zeroipc_want() {
  local words=$1 package
  local -a missing=()
  shift
  command -v dpkg-query >/dev/null || return 0
  mapfile -t missing < <(zeroipc_missing_packages "$@")
  ((${#missing[@]} == 0)) && return 0
  # At once, or, where one of them is unknown to apt, each by itself.
  zeroipc_apt_install "${missing[@]}" 2>/dev/null && return 0
  for package in "${missing[@]}"; do
    zeroipc_apt_install "$package" >/dev/null 2>&1 || true
  done
  mapfile -t missing < <(zeroipc_missing_packages "${missing[@]}")
  ((${#missing[@]} == 0)) || zeroipc_say "$words: ${missing[*]}"
  return 0
}

zeroipc_want_peers() { zeroipc_want "not compared with, for want of packages" "${ZEROIPC_PEER_PACKAGES[@]}"; }
zeroipc_want_long_tools() {
  zeroipc_want "tests left out, for want of packages" "${ZEROIPC_LONG_PACKAGES[@]}"
}

# --- Python -----------------------------------------------------------------------------------------------------

# zeroipc_python_can PYTHON MODULE...: it is 3.9 or newer, has every module, and a scipy of our age. They are found
# but not loaded, which would take seconds.
zeroipc_python_can() {
  local python=$1
  shift
  "$python" - "$@" >/dev/null 2>&1 <<'PYTHON'
import importlib.metadata, importlib.util, sys
assert sys.version_info >= (3, 9)
for name in sys.argv[1:]:
    assert importlib.util.find_spec(name)
    if name == "scipy":
        assert tuple(int(part) for part in importlib.metadata.version(name).split(".")[:2]) >= (1, 7)
PYTHON
}

# zeroipc_pick_python MODULE...: prints the first python3 that can import all. The one first on PATH often cannot.
zeroipc_pick_python() {
  local -a candidates=()
  local candidate
  [[ -n ${ZEROIPC_PYTHON:-} ]] && candidates+=("$ZEROIPC_PYTHON")
  while IFS= read -r candidate; do
    candidates+=("$candidate")
  done < <(type -aP python3 || true)
  candidates+=(/usr/bin/python3 /usr/local/bin/python3)
  for candidate in "${candidates[@]}"; do
    if zeroipc_python_can "$candidate" "$@"; then
      printf '%s\n' "$candidate"
      return 0
    fi
    [[ $candidate == "${ZEROIPC_PYTHON:-}" ]] &&
      zeroipc_complain "ZEROIPC_PYTHON=$candidate cannot import all of: $*; trying others"
  done
  zeroipc_complain "no python3 (3.9 or newer, scipy 1.7 or newer) found that can import all of: $*"
  zeroipc_complain "install them (Debian: apt-get install ${ZEROIPC_PYTHON_PACKAGES[*]} ${ZEROIPC_TEST_PACKAGES[*]})"
  zeroipc_complain "or name one that can: export ZEROIPC_PYTHON=/path/to/python3"
  return 1
}

# zeroipc_run_python PYTHON ARGUMENT...: with the report's package to be found, and no caches left in the tree.
zeroipc_run_python() {
  PYTHONPATH="$ZEROIPC_ROOT/scripts${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1 "$@"
}

# --- measuring --------------------------------------------------------------------------------------------------

# zeroipc_machine HARNESS: prints the machine's name, which names a folder.
zeroipc_machine() {
  local machine
  machine=$("$1" --machine) || { zeroipc_complain "zeroipc-bench --machine failed"; return 1; }
  [[ $machine =~ ^[a-z0-9][a-z0-9._-]*$ ]] || {
    zeroipc_complain "zeroipc-bench --machine answered '$machine', which cannot name a folder"
    return 1
  }
  printf '%s\n' "$machine"
}

# zeroipc_make_folder MACHINE WHAT: prints a new folder for results. Two runs that start in one second get two.
zeroipc_make_folder() {
  local base extra=1 folder
  base=$ZEROIPC_ROOT/results/$1/$(date -u +%Y%m%dT%H%M%SZ)-$2
  mkdir -p "$(dirname "$base")"
  folder=$base
  until mkdir "$folder" 2>/dev/null; do
    extra=$((extra + 1))
    folder=$base-$extra
    ((extra < 100)) || { zeroipc_complain "cannot make the folder $base"; return 1; }
  done
  printf '%s\n' "$folder"
}

# --- building ---------------------------------------------------------------------------------------------------

# zeroipc_cpus: CPUs that this process may use.
zeroipc_cpus() { nproc 2>/dev/null || printf '1\n'; }

# zeroipc_quietly WHAT COMMAND...: one line when it goes well, the full log when it does not.
zeroipc_quietly() {
  local what=$1 log status=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if ((status == 0)); then
    zeroipc_say "$what: done"
  else
    cat "$log" >&2
    zeroipc_complain "$what failed (status $status); its output is above"
  fi
  rm -f "$log"
  return "$status"
}

# zeroipc_configure PRESET FOLDER [CMAKE ARGUMENT...]
zeroipc_configure() {
  local preset=$1 folder=$2
  shift 2
  # Presets are looked up in the current folder, hence the subshell.
  (cd "$ZEROIPC_ROOT" && zeroipc_quietly "configuring ${folder#"$ZEROIPC_ROOT"/}" \
    cmake --preset "$preset" -B "$folder" "$@")
}

# zeroipc_build FOLDER [TARGET...]: on a terminal ninja's own status line shows progress.
zeroipc_build() {
  local folder=$1 status=0
  shift
  local -a command=(cmake --build "$folder" --parallel "$(zeroipc_cpus)")
  (($# == 0)) || command+=(--target "$@")
  if [[ -t 1 ]]; then
    "${command[@]}" || status=$?
    ((status == 0)) || zeroipc_complain "the build failed (status $status); its output is above"
    return "$status"
  fi
  zeroipc_quietly "building ${folder#"$ZEROIPC_ROOT"/}" "${command[@]}"
}
