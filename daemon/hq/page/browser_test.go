package page_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"madoguchi/daemon/hq/kakunin"
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

// TestKakuninInBrowser enters an item with a real browser, under the page's own CSP, and prints.
func TestKakuninInBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: chromium")
		}
		t.Skip("SKIPPED, missing: chromium (apt-get install chromium)")
	}
	k := withKakunin(t, kakunin.Policy{Watermark: true})
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	shot := func(name string) {
		if dir := os.Getenv("HQ_SCREENSHOTS"); dir != "" {
			do(t, ctx, chromedp.EmulateViewport(1280, 1400))
			if err := os.WriteFile(filepath.Join(dir, name+".png"), do(t, ctx, chromedp.FullScreenshot(100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	do(t, ctx, chromedp.Navigate(k.server.URL+"/#t="+token))
	do(t, ctx, chromedp.WaitVisible(`a[href^="/records/"]`))
	do(t, ctx, chromedp.Navigate(k.server.URL+k.path()))
	do(t, ctx, chromedp.Click(`a[href$="/kakunin"]`))
	do(t, ctx, chromedp.WaitVisible(`#item-22`))
	do(t, ctx, chromedp.Click(`#item-22 summary`))
	do(t, ctx, chromedp.WaitVisible(`#item-22 input[name="v.purpose"]`))
	do(t, ctx, chromedp.SendKeys(`#item-22 input[name="v.purpose"]`, "生計費決済"))
	do(t, ctx, chromedp.SendKeys(`#item-22 input[name="reason"]`, "申込書"))
	shot("kakunin-form")
	do(t, ctx, chromedp.Click(`#item-22 button`))
	do(t, ctx, chromedp.WaitVisible(`#item-22 [data-status="present"]`))
	if got := do(t, ctx, chromedp.Text(`#item-22 dl`)); !strings.Contains(got, "生計費決済") {
		t.Fatalf("got %q", got)
	}
	do(t, ctx, chromedp.Navigate(k.server.URL+k.path()+"/kakunin/print"))
	do(t, ctx, chromedp.WaitVisible(`.mark`))
	if got := do(t, ctx, chromedp.Text(`.mark`)); got != "未完成 INCOMPLETE: 欠落/missing 13,21,23,27,29" {
		t.Fatalf("got %q", got)
	}
	if n := do(t, ctx, chromedp.Evaluate[int](`[...document.images].filter(i => i.alt !== "顔写真" && i.complete && i.naturalWidth > 0).length`)); n != 2 {
		t.Fatalf("%d of the card's own images are shown", n)
	}
	shot("kakunin-print")
}
