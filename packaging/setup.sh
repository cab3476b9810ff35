#!/usr/bin/env bash
# Makes a bare Debian 12 machine ready: checks Go, installs the packages of apt-packages.txt that are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v go >/dev/null; then
	echo "setup: Go 1.26 or newer is needed and no go is on the PATH. Debian's own Go is too old (1.19):" >&2
	echo "setup: install it from https://go.dev/dl/ and put /usr/local/go/bin on the PATH." >&2
	exit 1
fi
version=$(go env GOVERSION)
number=${version#go}
major=${number%%.*}
rest=${number#*.}
minor=${rest%%[!0-9]*}
if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor:-0}" -lt 26 ]; }; then
	echo "setup: Go 1.26 or newer is needed (crypto/hpke), this is $version." >&2
	exit 1
fi

missing=()
while read -r package; do
	case "$package" in '' | '#'*) continue ;; esac
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done <"$here/apt-packages.txt"
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "setup: these packages are missing and neither root nor sudo is at hand: ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"
