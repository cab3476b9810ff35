#!/usr/bin/env bash
# Prints the Debian version and the time (seconds) of what is built. DEB_VERSION and SOURCE_DATE_EPOCH override both.
#   v0.2.0          at a tag          0.2.0
#   v0.2.0-rc1      at a tag          0.2.0~rc1           before 0.2.0
#   5 commits later                   0.2.0+git5.gabcdef0 after 0.2.0, before 0.2.1
#   no tag yet                        0.1.0~0git123.gabcdef0 before 0.1.0 and its ~alpha (the version that daemon/kiosk names)
# Changes that are not committed add ".dirty".
set -euo pipefail
cd "$(dirname "$0")/.."
version=${DEB_VERSION:-} epoch=${SOURCE_DATE_EPOCH:-}
if [ -z "$version" ]; then
	if ! hash=$(git rev-parse --short=10 HEAD 2>/dev/null); then
		echo "version: this is no git checkout: set DEB_VERSION and SOURCE_DATE_EPOCH" >&2
		exit 1
	fi
	if described=$(git describe --tags --long --abbrev=10 --match 'v[0-9]*' 2>/dev/null); then
		since=${described%-g*}
		tag=${since%-*} since=${since##*-}
		version=$(sed -e 's/^v//' -e 's/-/~/' -e 's/-/./g' <<<"$tag")
		[ "$since" = 0 ] || version+="+git$since.g$hash"
	else
		next=$(sed -n 's/^var Version = "\([0-9.]*\).*/\1/p' daemon/kiosk/kiosk.go)
		version="${next:?daemon/kiosk names no version}~0git$(git rev-list --count HEAD).g$hash"
	fi
	[ -z "$(git status --porcelain --untracked-files=no)" ] || version+=.dirty
fi
[ -n "$epoch" ] || epoch=$(git log -1 --format=%ct)
if ! dpkg --validate-version "$version" || ! [[ $epoch =~ ^[0-9]+$ ]]; then
	echo "version: \"$version\" of second \"$epoch\" is not valid" >&2
	exit 1
fi
echo "$version $epoch"
