//go:build linux && cgo

package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"madoguchi/face/jp2"
	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/internal/child"
)

func TestMain(m *testing.M) {
	child.Main(jp2.Handlers())
	os.Exit(pcscd.Main(m))
}

// card simulate, card doctor, card tries and card read through a real pcscd, libpcsclite and the vpcd driver.
func TestThroughRealPCSC(t *testing.T) {
	pcscd.Start(t)
	if text, err := kioskctl(t, "", "card", "doctor"); err != nil || !strings.Contains(text, "no card on the reader") ||
		!strings.Contains(text, "virtual (vpcd)") {
		t.Fatalf("an empty reader: %s, %v", text, err)
	}
	if _, err := kioskctl(t, "", "card", "tries", "--reader", "auto"); codeOf(err) != codeNoCard {
		t.Fatalf("an empty reader: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"card", "simulate", "--profile", "sato", "--vpcd", pcscd.Addr}, strings.NewReader(""), &strings.Builder{})
	}()
	waitForCard(t)
	text, err := kioskctl(t, "", "card", "doctor")
	if err != nil || !strings.Contains(text, "card: my-number") || !strings.Contains(text, "extended length works") {
		t.Fatalf("%s, %v", text, err)
	}
	if text, err = kioskctl(t, "", "card", "tries", "--reader", "Virtual PCD"); err != nil || !strings.Contains(text, `"text-pin":3`) {
		t.Fatalf("%s, %v", text, err)
	}
	text, err = kioskctl(t, hanako, "card", "read", "--reader", "auto", "--route", "all", "--trust", testTrust(t),
		"--secrets", "-", "--json")
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, text)
	if !r.Authenticity.Face.Valid || !r.Authenticity.NotACopy.Valid || r.Certificates.Sign == nil {
		t.Fatalf("got %s", text)
	}
	t.Logf("%d commands, %d bytes, %d ms through pcscd", r.APDUs, r.BytesRead, r.ElapsedMS)
	if _, err := kioskctl(t, "", "card", "tries", "--reader", "No Such Reader"); codeOf(err) != codeNoCard {
		t.Fatalf("a reader that is not there: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("simulate: %v", err)
	}
}

// waitForCard asks until pcscd has noticed the card, which it looks for every 400 ms.
func waitForCard(t *testing.T) {
	t.Helper()
	end := time.NewTimer(15 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := kioskctl(t, "", "card", "tries", "--reader", "auto"); err == nil {
			return
		}
		select {
		case <-end.C:
			t.Fatal("pcscd does not notice the card")
		case <-tick.C:
		}
	}
}
