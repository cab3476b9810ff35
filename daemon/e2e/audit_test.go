package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/control"
	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/storage/audit"
)

// seen reads what HQ's witness has of the kiosk.
func (b *branch) seen() (leaves []audit.Leaf, beats int) {
	b.t.Helper()
	r, err := sqlitestore.OpenReader(b.t.Context(), filepath.Join(b.dir, "hq", "store", "records.sqlite"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	raw, err := r.AuditLeaves(b.t.Context(), "e2e-kiosk", 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, l := range raw {
		leaf, err := audit.ParseLeaf(l)
		if err != nil {
			b.t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	list, err := r.Heartbeats(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return leaves, len(list)
}

// kioskctl runs the operator's command against the running kiosk.
func (b *branch) kioskctl(stdin string, args ...string) (string, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "kioskctl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The audit log of a day: it reaches HQ's witness, its export stands by itself, and maintenance mode is in it.
func TestAuditLog(t *testing.T) {
	b := open(t, options{models: models(t)})
	socket := filepath.Join(b.dir, "run", control.Socket)
	c, s := b.customer(), b.clerk()
	c.arrive(b)
	c.toReview("kobayashi")
	c.confirms("kobayashi")
	c.at("wait-staff")
	s.sees()

	secrets := `{"number_b":"02041220314821","staff":"staff-1","staff_pin":"` + staffPIN + `"}`
	read := []string{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "--json", "--maintenance", socket}
	if out, err := b.kioskctl(secrets, read...); err == nil || !strings.Contains(out, "a customer is being served") {
		t.Fatalf("maintenance beside a customer: %v: %s", err, out)
	}
	s.represents("小林 母")
	s.decides("approve")
	c.at("result")
	receipt, _ := c.leaves()
	b.received(receipt)
	c.at("idle")
	if out, err := b.kioskctl(secrets, read...); err != nil || !strings.Contains(out, `"birth":"1990-04-12"`) {
		t.Fatalf("%v: %s", err, out)
	}
	c.at("idle")

	if out, err := b.kioskctl("", "audit", "verify", socket); err != nil || !strings.Contains(out, "entries, unbroken") {
		t.Fatalf("%v: %s", err, out)
	}
	export := filepath.Join(b.dir, "export")
	if out, err := b.kioskctl("", "audit", "export", socket, export); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, want := range []string{
		`"kind":"log-begins"`, `"kind":"started"`, `"kind":"staff-in"`, `"kind":"photo-viewed"`, `"kind":"staff-decided","reason":"photo-same-person"`,
		`"kind":"recorded"`, `"kind":"maintenance","reason":"","staff":"staff-1","v":1,"word":"begin"`, `"kind":"card-read"`, `"word":"end"`, `"kind":"audit-exported"`,
	} {
		at := strings.Index(string(text), want)
		if at <= last {
			t.Fatalf("%s is missing or out of order in\n%s", want, text)
		}
		last = at
	}
	eventually(t, "the record's entry and a heartbeat are with HQ's witness", func() bool {
		leaves, beats := b.seen()
		for _, l := range leaves {
			if l.Kind == audit.Recorded && strings.HasSuffix(l.ID, receipt) {
				return beats == 1
			}
		}
		return false
	})
	if out, err := b.kioskctl("", "queue", "status", socket); err != nil || !strings.Contains(out, `"waiting": 0`) || !strings.Contains(out, `"skew_known": true`) {
		t.Fatalf("%v: %s", err, out)
	}
}
