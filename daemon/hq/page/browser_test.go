package page_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"madoguchi/storage/storagetest"
)

// TestBrowser signs in with the fragment, in a real browser under the page's own CSP.
func TestBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: chromium")
		}
		t.Skip("SKIPPED, missing: chromium (apt-get install chromium)")
	}
	k := newKit(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	do(t, ctx, chromedp.Navigate(k.server.URL+"/#t="+token))
	do(t, ctx, chromedp.WaitVisible(`a[href^="/records/"]`))
	location := do(t, ctx, chromedp.Location())
	do(t, ctx, chromedp.Click(`a[href^="/records/"]`))
	do(t, ctx, chromedp.WaitVisible(`#identity`))
	name := do(t, ctx, chromedp.Text(`#name`))
	cookies := do(t, ctx, chromedp.Evaluate[string](`document.cookie`))
	if strings.Contains(location, token) || strings.TrimSpace(name) != storagetest.Name || cookies != "" {
		t.Fatalf("got %q at %q, cookies for scripts %q", name, location, cookies)
	}
	if file := os.Getenv("HQ_SCREENSHOT"); file != "" {
		do(t, ctx, chromedp.EmulateViewport(1280, 1400))
		shot := do(t, ctx, chromedp.FullScreenshot(100))
		if err := os.WriteFile(file, shot, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func do[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
