#!/usr/bin/env bash
# Starts HQ (receiver and opener) and one kiosk on loopback, prints their pages, and ends all of them on Ctrl-C.
# DEVICES=virtual (default) or real; RUN_DIR is where its state lies.
set -euo pipefail
cd "$(dirname "$0")/.."
devices=${DEVICES:-virtual}
dir=${RUN_DIR:-.run}/$devices
models=${FACE_MODELS:-}
case "$devices" in
virtual | real) ;;
*)
	echo "run: DEVICES must be virtual or real" >&2
	exit 2
	;;
esac
umask 077
mkdir -p "$dir"

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for port in 8443 8444 18080 18081; do
	if ! port_free "$port"; then
		echo "run: port $port on 127.0.0.1 is taken; is another one running?" >&2
		exit 1
	fi
done

bin/hqd init -dir "$dir/hq" -kiosk demo-kiosk-1 >/dev/null

# The staff PIN is made anew for each start: a demonstration has no secret worth keeping.
pin=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
pin=$(printf '%06d' $((pin % 1000000)))
hash=$(printf '%s\n' "$pin" | bin/kioskctl staff-hash)

trust='issuers = "virtual"' calibration='calibration = "virtual"' reader=virtual camera=virtual profile=demo
control="control = \"$dir/virtual.sock\""
if [ "$devices" = real ]; then
	trust='issuers = ""' calibration='calibration = ""' reader=pcsc camera=v4l2 control=
	[ -n "${TRUST_ISSUERS:-}" ] && trust="issuers = \"$TRUST_ISSUERS\""
	[ -n "${CALIBRATION:-}" ] && calibration="calibration = \"$CALIBRATION\""
fi
cat >"$dir/kiosk.toml" <<TOML
[kiosk]
listen = "127.0.0.1:18080"
staff_listen = "127.0.0.1:18081"
state_dir = "$dir/state"
runtime_dir = "$dir/runtime"
print_url = true

[devices]
reader = "$reader"
camera = "$camera"
$control

[face]
models = "$models"
$calibration

[trust]
$trust

[hq]
bundle = "$dir/hq/kiosk"

[service]
id = "account-opening"
channel = "attended"
machine_may_decide = true
pin_route = true

[[staff]]
id = "staff-1"
name = "窓口 一郎"
pin_hash = "$hash"
TOML
bin/kioskctl config check "$dir/kiosk.toml" >/dev/null

pids=()
stop() {
	trap - EXIT INT TERM
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	# sudo make run: what was made belongs to the caller.
	if [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_UID:-}" ]; then
		chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$dir" bin 2>/dev/null || true
	fi
	echo "run: everything is stopped"
}
trap 'stop; exit 130' INT TERM
trap stop EXIT

bin/hqd receiver -dir "$dir/hq" -profile "$profile" >"$dir/receiver.out" 2>"$dir/receiver.log" &
pids+=($!)
bin/hqd opener -dir "$dir/hq" >"$dir/opener.out" 2>"$dir/opener.log" &
pids+=($!)
bin/kioskd -config "$dir/kiosk.toml" >"$dir/kiosk.out" 2>"$dir/kiosk.log" &
pids+=($!)

for _ in $(seq 100); do
	grep -qs '^kiosk:' "$dir/kiosk.out" && grep -qs 'http' "$dir/opener.out" && break
	for pid in "${pids[@]}"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			echo "run: a part did not start; the last lines of its log:" >&2
			tail -n 3 "$dir"/*.log >&2
			exit 1
		fi
	done
	sleep 0.1
done
echo "Madoguchi with $devices devices (state and logs in $dir)"
sed 's/^/  /' "$dir/kiosk.out"
echo "  staff sign-in: staff-1, PIN $pin"
sed 's/^/  /' "$dir/opener.out"
if [ -z "$models" ]; then
	echo "  NOTE: FACE_MODELS is not set: faces are not checked, every customer goes to staff."
fi
echo "Ctrl-C ends everything."
# Whichever part ends first ends the rest.
wait -n "${pids[@]}" || true
echo "run: a part ended; the last lines of the logs:" >&2
tail -n 2 "$dir"/*.log >&2
exit 1
