package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"madoguchi/internal/secret"
)

func TestNothingPrintsTheSecret(t *testing.T) {
	const canary = "CANARY-4711"
	s := secret.New([]byte(canary))
	holder := struct {
		A *secret.Bytes
		B any
	}{s, s}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "a", s, "b", holder)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "a", s, "b", holder)
	js, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out := logged.String() + string(js)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, holder)
	}
	hexed := fmt.Sprintf("%x", canary)
	if strings.Contains(out, canary) || strings.Contains(out, hexed) || strings.Contains(out, "67 65 78") {
		t.Fatalf("the secret was printed: %s", out)
	}
}

func TestWipe(t *testing.T) {
	raw := []byte("1234")
	s := secret.New(raw)
	c := s.Clone()
	s.Wipe()
	s.Wipe()
	if !bytes.Equal(raw, make([]byte, 4)) {
		t.Fatalf("got %x after Wipe, want zeros", raw)
	}
	if s.Len() != 0 || string(c.Reveal()) != "1234" {
		t.Fatal("the clone must outlive the original")
	}
	var none *secret.Bytes
	none.Wipe()
	if none.Len() != 0 || none.String() != secret.Hidden {
		t.Fatal("a nil secret is empty and hidden")
	}
}
