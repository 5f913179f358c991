#!/usr/bin/env bash
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Makes this machine able to carry a cluster: system packages, Docker Engine, .venv.
# It looks first, says what is missing, and stops before it changes anything where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'USAGE'
usage: host/setup.sh [--check] [--test] [--import]
  --check   only say what is missing; exit code 1 if something is
  --test    also what the tests need (Chromium, libfaketime)
  --import  the bundle comes from another machine, so Go has nothing to do
USAGE
}

# package: the command that shows that it is there, or a file
PACKAGES=(
  "docker.io:dockerd"
  "skopeo:skopeo"
  "mmdebstrap:mmdebstrap"
  "vagrant:vagrant"
  "openssh-client:ssh"
  "iptables:iptables"
  "gcc:gcc"
  "libc6-dev:/usr/include/stdlib.h"
  "libseccomp-dev:/usr/include/seccomp.h"
  "pkg-config:pkg-config"
  "make:make"
  "python3-venv:python3-venv"
)
TEST_PACKAGES=(
  "chromium:chromium"
  "git:git"
  # Sets one process's clock wrong.
  "libfaketime:/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1"
)
GO_MINIMUM=26

check_only=false
importing=false
for argument in "$@"; do
  case "$argument" in
    --check) check_only=true ;;
    --import) importing=true ;;
    --test) PACKAGES+=("${TEST_PACKAGES[@]}") ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

say() { printf 'setup: %s\n' "$*"; }

present() {
  case "$1" in
    /*) [ -e "$1" ] ;;
    python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
    *) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
  esac
}

missing_packages() {
  local entry
  for entry in "${PACKAGES[@]}"; do
    present "${entry#*:}" || printf '%s ' "${entry%%:*}"
  done
}

# Why Vagrant can't make virtual machines here, which it would say only when the bundle is filled.
provider_problems() {
  local provider folder said
  provider=${PROVIDER:-$(python3 host/settings.py get provider 2>/dev/null || true)}
  case "$provider" in virtualbox | libvirt) ;; *) return 0 ;; esac
  command -v vagrant >/dev/null || return 0
  folder=$(mktemp -d)
  echo 'Vagrant.configure("2") { |config| config.vm.box = "none" }' >"$folder/Vagrantfile"
  said=$(cd "$folder" && env -u VAGRANT_CWD -u VAGRANT_DOTFILE_PATH -u VAGRANT_VAGRANTFILE \
    VAGRANT_DEFAULT_PROVIDER="$provider" vagrant status 2>&1) || {
    echo "PROVIDER=$provider: Vagrant can't make machines with it here, and says:"
    echo "$said"
    case "$provider" in
      virtualbox) echo "Debian 12 has no VirtualBox; install one that this Vagrant knows, or choose another PROVIDER" ;;
      libvirt) echo "on Debian 12 as root: apt-get install vagrant-libvirt libvirt-daemon-system qemu-system-x86" ;;
    esac
  }
  rm -rf "$folder"
}

# What nobody but the machine's owner can put right.
problems() {
  local minor backend
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    echo "python3: expected 3.11 or newer, which Ansible's release needs; install it and put it first in PATH"
  provider_problems
  # What is missing of a bundle that is there, filling it says.
  if $importing || [ -e "${ROOST_CACHE:-$HOME/.cache/roost}/bundle.lock" ]; then return 0; fi
  [ "$(id -u)" = 0 ] ||
    echo "bundle: not filled yet, which takes root, for its images are made of Debian's packages; run the same as root, or \`make bundle-import FILE=bundle.tar\` with one from another machine"
  # Go has nothing to do where it is fetched.
  backend=$(python3 -m bundle.backend 2>&1)
  case "$backend" in
    fetch*) return 0 ;;
    bundle:*) echo "$backend" && return 0 ;;
  esac
  if command -v go >/dev/null; then
    minor=$(go version | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge "$GO_MINIMUM" ] ||
      echo "go: found $(go version | cut -d' ' -f3), expected go1.$GO_MINIMUM or newer, with which the bundle is built; BUNDLE_SOURCE=fetch takes official releases instead"
  else
    echo "go: not found; expected go1.$GO_MINIMUM or newer, with which the bundle is built; BUNDLE_SOURCE=fetch takes official releases instead"
  fi
}

# Takes no package of the machine's owner away, and waits where another apt is at work.
install_packages() {
  local wanted="$1" said
  [ -n "$wanted" ] || return 0
  say "installing ${wanted}(takes a minute or two)"
  # Without new lists, say because another apt fetches them now, the ones that are there may do.
  # shellcheck disable=SC2086  # one word for each package
  if ! said=$({
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o DPkg::Lock::Timeout=300 \
      --no-remove --no-install-recommends $wanted
  } 2>&1); then
    say "${said//$'\n'/$'\nsetup: '}"
    say "apt-get, whose words these are, can't install ${wanted}as this machine is; nothing was removed"
    say "if others would have to go for it (docker-ce-cli, containerd.io or podman-docker for docker.io, say), remove them yourself, or install what is missing beside them from where they are from; then run this again"
    exit 1
  fi >&2
}

# Why this machine can't be set up by this user; all reasons at once.
refusals() {
  local wanted="$1"
  problems
  if [ -n "$wanted" ] && { ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; }; then
    echo "missing packages: $wanted"
    echo "on Debian 12 as root: apt-get install --no-install-recommends $wanted"
    echo "elsewhere install what gives the same commands"
  elif [ -z "$wanted" ] && [ "$(id -u)" != 0 ] && ! host/docker_engine answers; then
    echo "Docker Engine doesn't answer $(id -un); start it as root, or join the group docker"
  fi
}

# Ends with what is wrong, if something is.
refuse() {
  [ -n "$1" ] || return 0
  sed '/^$/d; s/^/setup: /' <<<"$1" >&2
  exit 1
}

main() {
  local wanted bad
  wanted=$(missing_packages)
  bad=$(refusals "$wanted")
  if $check_only; then
    [ -z "$wanted" ] || bad+=$'\n'"missing packages: $wanted"
    [ -n "$bad" ] || { say "nothing is missing"; exit 0; }
  fi
  [ -z "$bad" ] || refuse "$bad"$'\n'"nothing was changed"
  install_packages "$wanted"
  # Debian's package starts it.
  case " $wanted " in *" docker.io "*) host/docker_engine adopt ;; esac
  # If Vagrant was among them, it can be asked only now.
  [ -z "$wanted" ] || refuse "$(provider_problems)"
  host/docker_engine start
  host/venv .venv requirements.txt
}

main
