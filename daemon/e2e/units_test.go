package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/launcher"
	"madoguchi/daemon/staff"
	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/vpcd"
	"madoguchi/internal/secret"
	"madoguchi/ui/browsertest"
)

const (
	unitKiosk    = "madoguchi-kioskd"
	unitPage     = "madoguchi-kiosk-out-of-service"
	unitReceiver = "madoguchi-hqd-receiver"
	unitOpener   = "madoguchi-hqd-opener"
)

// install lays our files as the packages do, and makes a first installation of HQ.
const install = `
install -m 0755 /stage/bin/kioskd /stage/bin/hqd /stage/bin/kioskctl /usr/bin/
cp /stage/systemd/*.service /etc/systemd/system/
cp /stage/systemd/sysusers.d/*.conf /usr/lib/sysusers.d/
cp /stage/systemd/tmpfiles.d/*.conf /usr/lib/tmpfiles.d/
systemd-sysusers madoguchi-kiosk.conf madoguchi-hq.conf
mkdir -p /etc/madoguchi
cp /stage/kiosk.toml /stage/hq.toml /etc/madoguchi/
chmod 0644 /etc/madoguchi/hq.toml
hqd init -dir /var/lib/madoguchi-hq -kiosk e2e-kiosk -bundle /etc/madoguchi/bundle -url https://$HQ
systemd-tmpfiles --create madoguchi-kiosk.conf madoguchi-hq.conf
systemctl daemon-reload
systemctl start madoguchi-hqd-receiver madoguchi-hqd-opener madoguchi-kioskd
`

// installed is a branch whose programs run under the shipped units.
func installed(t *testing.T) (*branch, *machine) {
	t.Helper()
	m := boot(t, models(t)+":/usr/share/madoguchi/models")
	for from, to := range map[string]string{programs: "bin", "../../systemd": "systemd"} {
		if err := os.CopyFS(filepath.Join(m.stage, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	hash, err := staff.Hash(secret.Copy([]byte(staffPIN)))
	if err != nil {
		t.Fatal(err)
	}
	b := &branch{t: t, dir: m.stage, hqAddr: freePort(t)}
	page, desk, hq := freePort(t), freePort(t), freePort(t)
	m.write(filepath.Join(m.stage, "hq.toml"), fmt.Sprintf("dir = \"/var/lib/madoguchi-hq\"\n[receiver]\nlisten = %q\nprofile = \"demo\"\n[opener]\nlisten = %q\n", b.hqAddr, hq))
	m.write(filepath.Join(m.stage, "kiosk.toml"), fmt.Sprintf(`[kiosk]
listen = %q
staff_listen = %q
state_dir = "/var/lib/madoguchi-kiosk"
runtime_dir = "/run/madoguchi-kiosk"
[devices]
reader = "virtual"
camera = "virtual"
control = "/run/madoguchi-kiosk/virtual.sock"
[face]
models = "/usr/share/madoguchi/models"
calibration = "virtual"
[trust]
issuers = "virtual"
[hq]
bundle = "/etc/madoguchi/bundle"
[service]
id = "account-opening"
channel = "attended"
machine_may_decide = true
pin_route = true
[[staff]]
id = "staff-1"
name = "窓口 一郎"
pin_hash = %q
`, page, desk, hash))
	if out, err := m.try("sh", "-euc", "HQ="+b.hqAddr+"\n"+install); err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "-o", "cat", "-n", "60")
		t.Fatalf("%v: %s\n%s", err, out, tail([]byte(journal), 6000))
	}
	b.staff = "http://" + desk + "/"
	address, err := os.ReadFile(m.path("/run/madoguchi-hq-opener/address"))
	if err != nil {
		t.Fatal(err)
	}
	b.hq, b.token, _ = strings.Cut(strings.TrimSpace(string(address)), "/#t=")
	if err := os.Symlink(m.path("/run/madoguchi-kiosk/virtual.sock"), b.socket()); err != nil {
		t.Fatal(err)
	}
	b.page = m.page()
	return b, m
}

// page is the kiosk's page with a new token.
func (m *machine) page() string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	page, err := launcher.Ask(ctx, m.path("/run/madoguchi-kiosk/launcher.sock"))
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

// The shipped units, run by a real systemd: a whole verification with the face engine, the child that decodes the card's
// photo and the uploader; a stop in the middle; a watchdog; the out-of-service page and the way back.
func TestUnits(t *testing.T) {
	b, m := installed(t)
	c := b.customer()
	for _, step := range []struct {
		name string
		do   func(*testing.T, *branch, *machine, *customer)
	}{
		{"verification", unitVerification},
		{"sandbox", unitSandbox},
		{"probe", unitProbe},
		{"sealed-key", unitSealedKey},
		{"stop-in-the-middle", unitStop},
		{"watchdog", unitWatchdog},
		{"out-of-service", unitOutOfService},
		{"reader", unitReader},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			b.t, m.t, c.t = t, t, t
			step.do(t, b, m, c)
		}) {
			journal, _ := m.try("journalctl", "--no-pager", "-o", "short-precise", "-n", "60")
			t.Log(string(tail([]byte(journal), 8000)))
			break
		}
	}
	b.t, m.t, c.t = t, t, t
}

func unitVerification(t *testing.T, b *branch, m *machine, c *customer) {
	_ = b.clerk()
	c.arrive(b)
	c.toReview("sato")
	c.confirms("sato")
	c.at("result")
	receipt, view := c.leaves()
	if !contains(view, "verified") {
		t.Errorf("the result screen is %q", view)
	}
	o := b.received(receipt)
	sameAsCard(t, &o.record, c.person("sato"))
	e := o.record.Evidence
	if e.Decision.By != "machine" || e.Face.Match != "pass" || e.Face.Live != "pass" || e.Card.Genuineness != "genuine" {
		t.Errorf("decided by %s, face %s and %s, card %s", e.Decision.By, e.Face.Match, e.Face.Live, e.Card.Genuineness)
	}
	for _, unit := range []string{unitKiosk, unitReceiver, unitOpener} {
		if n := m.show(unit, "NRestarts"); n != "0" {
			t.Errorf("%s was restarted %s times", unit, n)
		}
	}
	journal := strings.ToLower(m.run("journalctl", "--no-pager", "-o", "cat", "-u", "madoguchi-*"))
	for _, trouble := range []string{"operation not permitted", "permission denied", "no face models", "cannot be used", "not fed"} {
		if contains(journal, trouble) {
			t.Errorf("the journal holds %q:\n%s", trouble, tail([]byte(journal), 3000))
		}
	}
	if contains(journal, "#t=") {
		t.Error("a page's token is in the journal")
	}
}

// unitSandbox looks at what the kernel holds against the processes.
func unitSandbox(t *testing.T, _ *branch, m *machine, _ *customer) {
	for unit, user := range map[string]string{unitKiosk: "madoguchi-kiosk", unitReceiver: "madoguchi-hq", unitOpener: "madoguchi-hq-opener"} {
		s := m.status(unit)
		t.Logf("%s: peak %s, %s threads", unit, s["VmHWM"], s["Threads"])
		for key, want := range map[string]string{
			"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0000000000000000", "CapPrm": "0000000000000000",
			"CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
		} {
			if s[key] != want {
				t.Errorf("%s: %s is %q, want %q", unit, key, s[key], want)
			}
		}
		if got := strings.TrimSpace(m.run("ps", "-o", "user:32=", "-p", m.show(unit, "MainPID"))); got != user {
			t.Errorf("%s runs as %q", unit, got)
		}
		if limits := m.run("cat", "/proc/"+m.show(unit, "MainPID")+"/limits"); !contains(strings.Join(strings.Fields(limits), " "), "Max core file size 0 0") {
			t.Errorf("%s may dump core: %s", unit, limits)
		}
	}
	// What each role must not reach, tried by its own user.
	for _, tt := range []struct{ user, path string }{
		{"madoguchi-hq", "/var/lib/madoguchi-hq/opener/identity.key.toml"}, // duty 10
		{"madoguchi-hq", "/var/lib/madoguchi-hq/ca/ca.key.pem"},
		{"madoguchi-hq-opener", "/var/lib/madoguchi-hq/receiver/receipt.key.pem"},
		{"madoguchi-hq-opener", "/var/lib/madoguchi-hq/ca/ca.key.pem"},
		{"madoguchi-kiosk", "/etc/credstore.encrypted/x"},
		{"nobody", "/etc/madoguchi/kiosk.toml"},
		{"nobody", "/etc/madoguchi/bundle/device.key.pem"},
		{"nobody", "/var/lib/madoguchi-kiosk/queue.db"},
		{"nobody", "/run/madoguchi-kiosk/launcher.sock"},
	} {
		if _, err := m.try("runuser", "-u", tt.user, "--", "cat", tt.path); err == nil {
			t.Errorf("%s reads %s", tt.user, tt.path)
		}
	}
}

// marks the page that is open, so that it can be told from the one that comes after a restart.
func (c *customer) marks() {
	c.t.Helper()
	browsertest.Eval[bool](c.t, c.ctx, "window.before = true")
}

// comesBack waits until the page has loaded itself anew, with its session, and shows the idle screen.
func (c *customer) comesBack() {
	c.t.Helper()
	browsertest.Wait(c.t, c.ctx, "!window.before && document.getElementById('app').dataset.screen === 'idle'")
}

// unitSealedKey: the device key sealed by systemd-creds, the file gone; the kiosk starts, and its records are accepted.
func unitSealedKey(t *testing.T, b *branch, m *machine, c *customer) {
	c.marks()
	m.sh(`systemd-creds encrypt --with-key=host --name=device-key /etc/madoguchi/bundle/device.key.pem /etc/credstore.encrypted/device-key
systemd-creds encrypt --with-key=host --name=kiosk-tls-key /etc/madoguchi/bundle/kiosk.key.pem /etc/credstore.encrypted/kiosk-tls-key
mv /etc/madoguchi/bundle/device.key.pem /etc/madoguchi/bundle/kiosk.key.pem /root/
systemctl restart madoguchi-kioskd`)
	if journal := m.run("journalctl", "--no-pager", "-o", "cat", "-u", unitKiosk); !contains(journal, `"name":"device-key","credential":true`) {
		t.Errorf("the key did not come as a credential:\n%s", tail([]byte(journal), 2000))
	}
	c.comesBack()
	_ = b.clerk() // a restart signs staff out
	c.toReview("suzuki")
	c.confirms("suzuki")
	receipt, _ := c.leaves()
	b.received(receipt)
}

// unitStop: a stop with a customer's data on the screen is clean, in time, and leaves nothing of them.
func unitStop(t *testing.T, b *branch, m *machine, c *customer) {
	before := len(b.arrived())
	c.toReview("watanabe")
	c.marks()
	m.run("systemctl", "stop", unitKiosk) // killed after TimeoutStopSec=5, which would be seen below
	if result, code := m.show(unitKiosk, "Result"), m.show(unitKiosk, "ExecMainStatus"); result != "success" || code != "0" {
		t.Errorf("the stop ended with %s, status %s", result, code)
	}
	p := c.person("watanabe")
	unitLeavesNothing(t, m, p)
	m.run("systemctl", "start", unitKiosk)
	c.comesBack()
	if got := len(b.arrived()); got != before {
		t.Errorf("%d records at HQ, before %d", got, before)
	}
}

func unitLeavesNothing(t *testing.T, m *machine, p *virtual.Person) {
	t.Helper()
	personal := map[string][]byte{
		"name": p.Name().Reveal(), "address": p.Address().Reveal(), "serial": p.Serial().Reveal(),
		"My Number": p.MyNumber().Reveal(), "photo": p.Face().Reveal()[200:600],
	}
	found := 0
	for _, dir := range []string{"/var/lib/madoguchi-kiosk", "/run/madoguchi-kiosk", "/tmp", "/var/tmp", "/var/lib/systemd/coredump"} {
		for path := range strings.FieldsSeq(m.sh("find " + dir + " -xdev -type f 2>/dev/null || true")) {
			data, err := os.ReadFile(m.path(path))
			if err != nil {
				continue
			}
			found++
			search(t, path, data, personal)
		}
	}
	search(t, "journal", []byte(m.run("journalctl", "--no-pager", "-a", "-o", "json")), personal)
	if found < 2 {
		t.Fatalf("only %d files were searched", found)
	}
}

// unitWatchdog: a daemon that stands still is ended and started again.
func unitWatchdog(t *testing.T, _ *branch, m *machine, c *customer) {
	m.dropIn(unitKiosk, "[Service]\nWatchdogSec=5\nTimeoutAbortSec=1\nRestartSec=100ms\n")
	c.marks()
	m.run("systemctl", "restart", unitKiosk)
	c.comesBack()
	c.marks()
	first := m.show(unitKiosk, "MainPID")
	m.run("kill", "-STOP", first)
	m.dropIn(unitKiosk, "[Service]\nRestartSec=100ms\n") // for the next start
	eventually(t, "systemd starts a kiosk that stood still anew", func() bool {
		pid := m.show(unitKiosk, "MainPID")
		return pid != first && pid != "0" && m.show(unitKiosk, "ActiveState") == "active"
	})
	if journal := m.run("journalctl", "--no-pager", "-o", "cat", "-u", unitKiosk, "-t", "systemd"); !contains(journal, "Watchdog timeout") {
		t.Error("it was not the watchdog")
	}
	c.comesBack()
}

// unitOutOfService: what cannot stay up ends in a page that the open browser shows, and the way back needs no token.
func unitOutOfService(t *testing.T, _ *branch, m *machine, c *customer) {
	m.sh("mv /etc/madoguchi/bundle/kiosk.toml /etc/madoguchi/bundle/away && systemctl reset-failed " + unitKiosk + " && systemctl kill -s KILL " + unitKiosk)
	eventually(t, "the out-of-service page stands", func() bool { return m.show(unitPage, "ActiveState") == "active" })
	if state := m.show(unitKiosk, "ActiveState") + " " + m.show(unitKiosk, "Result"); state != "failed exit-code" {
		t.Errorf("the kiosk is %s", state)
	}
	browsertest.Wait(t, c.ctx, "document.getElementById('out-of-service')?.innerText.includes('ご利用いただけません')")
	browsertest.Wait(t, c.ctx, "document.getElementById('out-of-service').innerText.includes('out of service')")
	browsertest.Shot(t, c.ctx, "e2e-out-of-service")
	m.sh("mv /etc/madoguchi/bundle/away /etc/madoguchi/bundle/kiosk.toml && systemctl reset-failed " + unitKiosk + " && systemctl start " + unitKiosk)
	if state := m.show(unitPage, "ActiveState"); state != "inactive" {
		t.Errorf("the page is %s while the kiosk runs", state)
	}
	browsertest.Wait(t, c.ctx, "document.getElementById('app')?.dataset.screen === 'idle'")

	// Nobody comes: after the retry time the page itself gives the kiosk another try.
	m.sh("sed -i 's/-retry 10m/-retry 8s/' /etc/systemd/system/" + unitPage + ".service && systemctl daemon-reload && mv /etc/madoguchi/bundle/kiosk.toml /etc/madoguchi/bundle/away && systemctl kill -s KILL " + unitKiosk)
	eventually(t, "the page stands again", func() bool { return m.show(unitPage, "ActiveState") == "active" })
	m.sh("mv /etc/madoguchi/bundle/away /etc/madoguchi/bundle/kiosk.toml && systemctl reset-failed " + unitKiosk)
	eventually(t, "the kiosk is tried again and stays", func() bool { return m.show(unitKiosk, "ActiveState") == "active" })
	browsertest.Wait(t, c.ctx, "document.getElementById('app')?.dataset.screen === 'idle'")
}

// unitReader: Debian's own pcscd under its own unit, and the sandboxed kiosk as its client, for a whole verification.
func unitReader(t *testing.T, b *branch, m *machine, c *customer) {
	if err := os.CopyFS(filepath.Join(m.stage, "frames"), os.DirFS("../../hardware/virtual/people/suzuki")); err != nil {
		t.Fatal(err)
	}
	c.marks()
	m.sh(`mkdir -p /usr/share/madoguchi/frames && install -m 0644 /stage/frames/live-* /usr/share/madoguchi/frames/
systemctl start pcscd.service
sed -i -e '1i developer = true' -e 's/^reader = .*/reader = "pcsc"/' -e '/^control = /d' \
  -e 's#^camera = .*#camera = "virtual"\nfolder = "/usr/share/madoguchi/frames"#' /etc/madoguchi/kiosk.toml
systemctl reset-failed madoguchi-kioskd && systemctl restart madoguchi-kioskd`)
	c.comesBack()
	_ = b.clerk()
	slot := vpcd.NewSlot(pcscd.Addr)
	card, err := c.person("suzuki").NewCard()
	if err != nil {
		t.Fatal(err)
	}
	c.toPlaceCard()
	if err := slot.Insert(card); err != nil {
		t.Fatal(err)
	}
	c.at("credential")
	birth, expiry, code := c.person("suzuki").NumberB()
	c.types(birth, expiry, code)
	c.press("k11", "review")
	c.press("confirm", "face")
	c.at("result")
	receipt := browsertest.Eval[string](t, c.ctx, "document.getElementById('receipt').innerText")
	if err := slot.Remove(); err != nil {
		t.Fatal(err)
	}
	o := b.received(receipt)
	sameAsCard(t, &o.record, c.person("suzuki"))
	if e := o.record.Evidence; e.Decision.By != "machine" || !contains(e.Reader, "Virtual PCD") {
		t.Errorf("decided by %s with reader %q", e.Decision.By, e.Reader)
	}
}
