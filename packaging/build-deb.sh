#!/usr/bin/env bash
# Builds the Debian packages into DIST (default dist), bit for bit the same from the same commit:
#   madoguchi-kiosk, madoguchi-hq, and madoguchi-face-models when FACE_MODELS names the folder.
# Called by "make deb", which also brings nfpm (NFPM). With arguments only the packages named are built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
dist=${DIST:-dist}
nfpm=${NFPM:?the path of nfpm: use make deb}
read -r version epoch < <("$here/version.sh")
export SOURCE_DATE_EPOCH=$epoch
maintainer="Madoguchi Maintainers <maintainers@madoguchi.invalid>"
packages=("$@")
[ ${#packages[@]} -gt 0 ] || packages=(kiosk hq face-models)

stage=$dist/stage
rm -rf "$stage"
mkdir -p "$stage/bin"
dist=$(cd "$dist" && pwd)
stage=$dist/stage

# The compilers by name, not by path: paths would end in what the compiler is told, and so in the binaries.
export PATH="$here/toolchain:$PATH" CC=baseline-gcc CXX=baseline-g++ CGO_ENABLED=1 GOARCH=amd64 GOAMD64=v2 GOFLAGS=-mod=readonly
hardening="-O2 -g0 -fstack-protector-strong"
export CGO_CFLAGS="$hardening" CGO_CXXFLAGS="$hardening" CGO_CPPFLAGS="-D_FORTIFY_SOURCE=2" CGO_LDFLAGS="-O2 -Wl,-z,relro,-z,now"

# build OUT EXTRA_LDFLAGS PACKAGE...: EXTRA is "-s -w" for what is shipped, nothing for the twin with symbols.
build() {
	local out=$1 extra=$2
	shift 2
	go build -trimpath -buildmode=pie -buildvcs=false -o "$out/" \
		-ldflags "$extra -buildid= -linkmode=external -X madoguchi/daemon/kiosk.Version=$version" "$@"
}

# needs PACKAGE BINARY...: what the libraries of the binaries depend on, as dpkg-shlibdeps says, one a line. It must be
# what the list in the tree says: a new dependency is a decision, not an accident.
needs() {
	local list=$here/deb/$1/depends work
	shift
	work=$(mktemp -d)
	mkdir "$work/debian"
	printf 'Source: madoguchi\nMaintainer: %s\n\nPackage: madoguchi\nArchitecture: any\nDescription: x\n' "$maintainer" >"$work/debian/control"
	(cd "$work" && dpkg-shlibdeps -O "$@" 2> >(grep -v "should already be installed" >&2)) | sed -e 's/^shlibs:Depends=//' -e 's/, */\n/g' | sort >"$work/computed"
	if ! diff -u --label "$list (computed part)" --label "needed by the binaries" \
		<(sed -n '/^# by hand/q;/^[^#]/p' "$list" | sort) "$work/computed" >&2; then
		echo "deb: $list does not say what the binaries need" >&2
		exit 1
	fi
	rm -rf "$work"
}

# changelog NAME: the newest part of CHANGELOG.md as a Debian changelog of this very version.
changelog() {
	printf '%s (%s) bookworm; urgency=medium\n\n' "$1" "$version"
	# Each item becomes one line, is folded again, and gets its bullet.
	awk '/^## /{n++; next} n==1 && /^- /{sub(/^- /, ""); printf "%s%s", sep, $0; sep="\n"; next}
		n==1 && /^  /{sub(/^ +/, " "); printf "%s", $0} END{print ""}' CHANGELOG.md |
		while IFS= read -r item; do fold -s -w 70 <<<"$item" | sed -e '1s/^/  * /' -e '2,$s/^/    /' -e 's/ *$//'; done
	printf '\n -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$epoch")"
}

# third_party COMMAND...: the licences of everything that is linked into the binaries, from the very modules used.
third_party() {
	local module dir file
	echo "Linked in, with their licences:"
	echo
	printf -- '---- The Go standard library (%s)\n\n' "$(go env GOVERSION)"
	cat "$(go env GOROOT)/LICENSE"
	while read -r module dir; do
		[ "$module" = madoguchi ] && continue
		printf -- '\n---- %s\n' "$module"
		local found=
		for file in "$dir"/LICENSE* "$dir"/COPYING* "$dir"/NOTICE* "$dir"/LICENCE*; do
			[ -f "$file" ] || continue
			found=1
			printf '\n'
			if head -n 5 "$file" | grep -q 'Apache License'; then
				echo "Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0"
			else
				cat "$file"
			fi
		done
		[ -n "$found" ] || { echo "deb: $module has no licence file" >&2; exit 1; }
	done < <(go list -deps -f '{{with .Module}}{{.Path}} {{.Dir}}{{end}}' "$@" | sort -u)
	for file in ui/assets/*.LICENSE; do
		printf -- '\n---- %s (part of the pages)\n\n' "$(basename "$file" .LICENSE)"
		cat "$file"
	done
}

# copyright COMMAND...: the package's copyright file.
copyright() {
	cat "$here/deb/copyright"
	echo
	third_party "$@"
}

# finish PACKAGE ARCH: nfpm.yaml with what is computed, then the package. contents lists "MODE PATH [TYPE]" of the
# files below the package's stage.
finish() {
	local package=$1 arch=$2 root=$stage/$1 name=madoguchi-$1 yaml=$stage/$1.yaml
	install -d "$root/usr/share/doc/$name"
	changelog "$name" | gzip -9n >"$root/usr/share/doc/$name/changelog.gz"
	if [ -f "$here/deb/$package/lintian-overrides" ]; then
		install -D -m 644 "$here/deb/$package/lintian-overrides" "$root/usr/share/lintian/overrides/$name"
	fi
	{
		printf 'name: %s\narch: %s\nplatform: linux\nversion: "%s"\nversion_schema: none\n' "$name" "$arch" "$version"
		printf 'maintainer: "%s"\nmtime: %s\numask: 0o022\ndisable_globbing: true\n' "$maintainer" "$(date -u +%Y-%m-%dT%H:%M:%SZ -d "@$epoch")"
		cat "$here/deb/$package/nfpm.yaml"
		if [ -f "$here/deb/$package/depends" ]; then
			printf 'depends:\n'
			sed -n 's/^\([^#].*\)$/  - "\1"/p' "$here/deb/$package/depends"
		fi
		printf 'contents:\n'
		(cd "$root" && find . -type f | LC_ALL=C sort) | while read -r file; do
			file=${file#.}
			kind= mode=0644
			[[ $file == /etc/* ]] && kind='type: config, '
			[[ $file == /usr/bin/* ]] && mode=0755
			[[ $file == /etc/madoguchi/kiosk.toml ]] && mode=0640
			printf '  - {src: "%s", dst: "%s", %sfile_info: {mode: %s, owner: root, group: root}}\n' "$root$file" "$file" "$kind" "$mode"
		done
		printf 'scripts:\n'
		local script
		for script in postinst:postinstall prerm:preremove postrm:postremove; do
			[ -f "$here/deb/$package/${script%%:*}" ] && printf '  %s: "%s"\n' "${script##*:}" "$here/deb/$package/${script%%:*}"
		done
		true
	} >"$yaml"
	"$nfpm" package -f "$yaml" -p deb -t "$dist/${name}_${version}_$arch.deb" >/dev/null
	(cd "$dist" && sha256sum "${name}_${version}_$arch.deb")
}

# files PACKAGE: lays "SOURCE TARGET" lines out below the package's stage.
files() {
	local root=$stage/$1 source target
	while read -r source target; do
		[ -n "$source" ] || continue
		if [ ! -f "$source" ]; then
			echo "deb: $source is missing" >&2
			exit 1
		fi
		install -D -m 644 "$source" "$root/$target"
	done
}

# pages PACKAGE PAGE...: man pages, compressed without name and time.
pages() {
	local root=$stage/$1 page
	shift
	for page in "$@"; do
		install -d "$root/usr/share/man/man${page##*.}"
		sed "s/@VERSION@/$version/; s/@DATE@/$(date -u +%Y-%m-%d -d "@$epoch")/" "$here/man/$page" |
			gzip -9n >"$root/usr/share/man/man${page##*.}/$page.gz"
	done
}

kiosk() {
	build "$stage/bin" "-s -w" ./daemon/kioskd ./daemon/kioskctl
	needs kiosk "$stage/bin/kioskd" "$stage/bin/kioskctl"
	install -D -t "$stage/kiosk/usr/bin" "$stage/bin/kioskd" "$stage/bin/kioskctl"
	files kiosk <<-LIST
		systemd/madoguchi-kioskd.service /usr/lib/systemd/system/madoguchi-kioskd.service
		systemd/madoguchi-kiosk-out-of-service.service /usr/lib/systemd/system/madoguchi-kiosk-out-of-service.service
		systemd/sysusers.d/madoguchi-kiosk.conf /usr/lib/sysusers.d/madoguchi-kiosk.conf
		systemd/tmpfiles.d/madoguchi-kiosk.conf /usr/lib/tmpfiles.d/madoguchi-kiosk.conf
		systemd/udev/72-madoguchi-kiosk.rules /usr/lib/udev/rules.d/72-madoguchi-kiosk.rules
		systemd/polkit/50-madoguchi-kiosk.rules /usr/share/polkit-1/rules.d/50-madoguchi-kiosk.rules
		packaging/deb/kiosk/kiosk.toml /etc/madoguchi/kiosk.toml
		systemd/README.md /usr/share/doc/madoguchi-kiosk/units.md
		packaging/deb/kiosk/profiles/bank.toml /usr/share/doc/madoguchi-kiosk/examples/bank.toml
		packaging/deb/kiosk/profiles/telecom.toml /usr/share/doc/madoguchi-kiosk/examples/telecom.toml
		docs/configuration.md /usr/share/doc/madoguchi-kiosk/configuration.md
		docs/kioskctl.md /usr/share/doc/madoguchi-kiosk/kioskctl.md
		systemd/drop-ins/kioskd-hq-address.conf /usr/share/doc/madoguchi-kiosk/examples/hq-address.conf
		docs/failures.md /usr/share/doc/madoguchi-kiosk/failures.md
		docs/enrolment.md /usr/share/doc/madoguchi-kiosk/enrolment.md
	LIST
	pages kiosk kioskd.8 kioskctl.1
	copyright ./daemon/kioskd ./daemon/kioskctl >"$stage/kiosk.copyright"
	install -D -m 644 "$stage/kiosk.copyright" "$stage/kiosk/usr/share/doc/madoguchi-kiosk/copyright"
	finish kiosk amd64
}

hq() {
	build "$stage/bin" "-s -w" ./daemon/hqd
	needs hq "$stage/bin/hqd"
	install -D -t "$stage/hq/usr/bin" "$stage/bin/hqd"
	files hq <<-LIST
		systemd/madoguchi-hqd-receiver.service /usr/lib/systemd/system/madoguchi-hqd-receiver.service
		systemd/madoguchi-hqd-opener.service /usr/lib/systemd/system/madoguchi-hqd-opener.service
		systemd/sysusers.d/madoguchi-hq.conf /usr/lib/sysusers.d/madoguchi-hq.conf
		systemd/tmpfiles.d/madoguchi-hq.conf /usr/lib/tmpfiles.d/madoguchi-hq.conf
		systemd/drop-ins/hqd-receiver-branches.conf /usr/share/doc/madoguchi-hq/examples/branches.conf
		systemd/drop-ins/hqd-opener-token.conf /usr/share/doc/madoguchi-hq/examples/token.conf
		docs/enrolment.md /usr/share/doc/madoguchi-hq/enrolment.md
		systemd/README.md /usr/share/doc/madoguchi-hq/units.md
		packaging/deb/hq/hq.toml /etc/madoguchi/hq.toml
	LIST
	pages hq hqd.8
	copyright ./daemon/hqd >"$stage/hq.copyright"
	install -D -m 644 "$stage/hq.copyright" "$stage/hq/usr/share/doc/madoguchi-hq/copyright"
	finish hq amd64
}

face-models() {
	local models=${FACE_MODELS:-}
	if [ -z "$models" ] || [ ! -d "$models" ]; then
		echo "deb: FACE_MODELS (\"$models\") is not a folder: madoguchi-face-models CANNOT be built." >&2
		echo "deb: set it to the folder of model files, or build without: make deb DEBS='kiosk hq'" >&2
		exit 1
	fi
	local sum file target=$stage/face-models/usr/share/madoguchi/face-models
	while read -r sum file; do
		[[ $sum =~ ^[0-9a-f]{64}$ ]] || continue
		if [ ! -f "$models/$file" ] || [ "$(sha256sum <"$models/$file")" != "$sum  -" ]; then
			echo "deb: $models/$file is missing or not the file of packaging/deb/face-models/SHA256SUMS" >&2
			exit 1
		fi
		install -D -m 644 "$models/$file" "$target/$file"
	done <"$here/deb/face-models/SHA256SUMS"
	install -D -m 644 "$here/deb/face-models/copyright" "$stage/face-models/usr/share/doc/madoguchi-face-models/copyright"
	gzip -9n <LICENSE >"$stage/apache.gz"
	install -D -m 644 "$stage/apache.gz" "$stage/face-models/usr/share/doc/madoguchi-face-models/apache-2.0.txt.gz"
	finish face-models all
}

for package in "${packages[@]}"; do
	case "$package" in
	kiosk | hq | face-models) "$package" ;;
	symbols) # the twins with symbols, for the proof of the processor baseline
		build "$dist/symbols" "" ./daemon/kioskd ./daemon/kioskctl ./daemon/hqd
		;;
	*)
		echo "deb: no package $package" >&2
		exit 2
		;;
	esac
done
