package hardwaretest_test

import (
	"os"
	"os/exec"
	"testing"
)

// needTool finds a program of an independent judge. Without it the test is skipped, loudly, or fails when CI is true.
func needTool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("NOT TESTED: %s is missing (Debian package %s)", name, debianPackage)
	}
	t.Skipf("NOT TESTED: %s is missing (Debian package %s)", name, debianPackage)
	return ""
}
