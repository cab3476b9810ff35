package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// The file stands for the flags that are not given, and an unknown key is an error.
func TestParseRole(t *testing.T) {
	const good = "dir = \"/d\"\n[receiver]\nlisten = \"127.0.0.1:1\"\nprofile = \"demo\"\n[opener]\nlisten = \"127.0.0.1:2\"\nparts = \"identity\"\n"
	for _, tt := range []struct {
		name, file string
		args       []string
		dir        string
		listen     string
		bad        bool
	}{
		{name: "file", file: good, dir: "/d", listen: "127.0.0.1:1"},
		{name: "flag-wins", file: good, args: []string{"-listen", "127.0.0.1:9"}, dir: "/d", listen: "127.0.0.1:9"},
		{name: "no-dir", file: "[receiver]\nlisten = \"127.0.0.1:1\"\n", bad: true},
		{name: "unknown-key", file: good + "colour = \"red\"\n", bad: true},
		{name: "malformed", file: "dir = ", bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hq.toml")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			f := flag.NewFlagSet("x", flag.ContinueOnError)
			f.SetOutput(&bytes.Buffer{})
			listen, _ := f.String("listen", "default", ""), f.String("profile", "production", "")
			var dir string
			err := parseRole(roleReceiver, f, append(tt.args, "-config", path), &dir)
			if (err != nil) != tt.bad {
				t.Fatalf("got %v", err)
			}
			if err == nil && (dir != tt.dir || *listen != tt.listen) {
				t.Errorf("got %q and %q", dir, *listen)
			}
		})
	}
}

// The page's token goes to a file that only its owner reads, and not to stdout, which systemd keeps.
func TestAnnounce(t *testing.T) {
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "address")
	for range 2 { // a file of an earlier start is replaced
		if err := announce(&out, path, "http://x/#t=1"); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || out.Len() != 0 {
		t.Errorf("got %v, %v, stdout %q", info, err, &out)
	}
	if err := announce(&out, "", "http://x/#t=1"); err != nil || out.String() != "hqd opener: http://x/#t=1\n" {
		t.Errorf("got %q, %v", &out, err)
	}
}
