package flow_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"madoguchi/daemon/flow"
)

var update = flag.Bool("update", false, "rewrite the state diagram in ARCHITECTURE.md")

const (
	diagramBegin = "<!-- state diagram: made from the machine by go test ./daemon/flow -update -->\n"
	diagramEnd   = "<!-- end of state diagram -->\n"
)

// label names an event for the diagram.
func label(e flow.Event) string {
	names := map[flow.Act]string{
		flow.Start: "touch", flow.SetLanguage: "language", flow.Next: "next", flow.Back: "back", flow.NoCase: "no number",
		flow.Refuse: "refuse", flow.SetRoute: "other route", flow.LastTryYes: "spend it", flow.ConfirmData: "right",
		flow.WrongData: "wrong", flow.SkipFace: "staff instead", flow.WithStaff: "with staff", flow.CancelYes: "cancel", flow.Done: "done",
	}
	switch e := e.(type) {
	case flow.Customer:
		return names[e.Act]
	case flow.Submitted:
		return "submit"
	case flow.ReaderLevel:
		return "reader"
	case flow.StorageLevel:
		return "storage"
	case flow.MaintenanceLevel:
		return "maintenance"
	case flow.CameraLevel:
		return "camera"
	case flow.Identified:
		return "card checked"
	case flow.ReadDone:
		return "read"
	case flow.FaceDone:
		return "face judged"
	case flow.Stored:
		return "stored"
	case flow.StaffDecides:
		return "staff decide"
	case flow.StaffRefers:
		return "to the counter"
	case flow.Timeout:
		return "time"
	}
	return ""
}

// diagram draws every change of phase there is, as Mermaid.
func diagram(edges map[[2]flow.Phase][]string) string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n  [*] --> out_of_service\n")
	id := func(p flow.Phase) string { return strings.ReplaceAll(p.String(), "-", "_") }
	for _, from := range flow.Phases() {
		for _, to := range flow.Phases() {
			if labels := edges[[2]flow.Phase{from, to}]; len(labels) > 0 {
				slices.Sort(labels)
				fmt.Fprintf(&b, "  %s --> %s: %s\n", id(from), id(to), strings.Join(labels, ", "))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// requireDiagram: the diagram in ARCHITECTURE.md is the machine's own.
func requireDiagram(t *testing.T, edges map[[2]flow.Phase][]string) {
	t.Helper()
	const path = "../../ARCHITECTURE.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), diagramBegin)
	_, after, ok2 := strings.Cut(rest, diagramEnd)
	if !ok || !ok2 {
		t.Fatal("ARCHITECTURE.md has no place for the diagram")
	}
	want := before + diagramBegin + diagram(edges) + diagramEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Fatal("the diagram in ARCHITECTURE.md is not the machine's; run go test ./daemon/flow -update")
	}
}
