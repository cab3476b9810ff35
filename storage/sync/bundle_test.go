package sync_test

import (
	"strings"
	"testing"

	"madoguchi/storage/sync"
)

func TestContentDigest(t *testing.T) {
	// RFC 9530, appendix B.1: the digest of {"hello": "world"} and a line feed.
	if got := sync.ContentDigest([]byte("{\"hello\": \"world\"}\n")); got != "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:" {
		t.Fatalf("got %s", got)
	}
}

func TestLoadBundleSaysWhatIsMissing(t *testing.T) {
	if _, err := sync.LoadBundle(t.TempDir()); err == nil || !strings.Contains(err.Error(), sync.FileConfig) {
		t.Fatalf("got %v", err)
	}
}
