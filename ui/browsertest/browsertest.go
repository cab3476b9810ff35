// Package browsertest starts Debian's Chromium for tests that look at our pages the way a customer does. It knows
// no page of ours. Only tests may import it.
package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one step may take on a busy machine.
const patience = 40 * time.Second

// Path is where Debian's package puts the browser.
const Path = "/usr/bin/chromium"

// Start opens one tab of a new browser with a touch screen of the given size. Without Chromium the test skips
// loudly, and fails when CI is "true".
func Start(tb testing.TB, width, height int64) context.Context {
	tb.Helper()
	if testing.Short() {
		tb.Skip("SKIPPED in short mode: needs Chromium; make test runs it")
	}
	if _, err := os.Stat(Path); err != nil {
		const missing = "SKIPPED: no " + Path + " (apt-get install chromium fonts-noto-cjk)"
		if os.Getenv("CI") == "true" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(Path), chromedp.Headless, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(tb.TempDir()),
	}
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium's sandbox does not run as root; tests only
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits, so that the profile can be removed
		cancel()
	})
	// The first action starts the browser and ties it to its context, so this one is not limited in time.
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("0")); err != nil {
		tb.Fatal(err)
	}
	Do(tb, ctx, chromedp.EmulateViewport(width, height, chromedp.EmulateTouch, chromedp.EmulatePortrait))
	return ctx
}

// Do runs actions and fails the test on an error.
func Do(tb testing.TB, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	limited, cancel := context.WithTimeout(ctx, patience) // an element that never comes must not hang the suite
	defer cancel()
	if err := chromedp.Do(limited, actions...); err != nil {
		tb.Fatal(err)
	}
}

// Eval evaluates JavaScript, waiting for a promise.
func Eval[T any](tb testing.TB, ctx context.Context, js string) T {
	tb.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.Fatalf("%v in %s", err, js)
	}
	return v
}

// Wait waits until a JavaScript expression is true in the page, at most 15 s.
func Wait(tb testing.TB, ctx context.Context, js string) {
	tb.Helper()
	look := `new Promise(done => { const end = performance.now() + 15000;
		const look = () => { let v = false; try { v = !!(` + js + `) } catch {}
			if (v || performance.now() > end) done(v); else setTimeout(look, 4) }; look() })`
	var ok bool
	var err error
	for range 5 { // a page that reloads itself ends the look
		if ok, err = chromedp.Run(ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise)); err == nil {
			break
		}
	}
	if err != nil || !ok {
		tb.Fatalf("still not true after 15 s: %s, %v\npage: %s", js, err, Eval[string](tb, ctx, "document.body.innerText"))
	}
}

// Tap touches the middle of the element with an id.
func Tap(tb testing.TB, ctx context.Context, id string) {
	tb.Helper()
	Do(tb, ctx, chromedp.Tap(chromedp.CSS("#"+id)))
}

// Shot writes a screenshot to the directory named by the environment variable SCREENSHOTS, if it is set.
func Shot(tb testing.TB, ctx context.Context, name string) {
	tb.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Faults collects uncaught exceptions and console errors (CSP violations among them) until the test ends, and
// fails the test for each.
func Faults(tb testing.TB, ctx context.Context) {
	tb.Helper()
	Do(tb, ctx, chromedp.Evaluate[chromedp.Void]("0")) // the tab exists from here on
	thrown := chromedp.Events(ctx, runtime.ExceptionThrown)
	done := make(chan []string, 1)
	stop, cancel := context.WithCancel(ctx)
	go func() {
		var list []string
		for ev, err := range thrown {
			if err != nil || stop.Err() != nil {
				break
			}
			text := ev.ExceptionDetails.Text
			if ev.ExceptionDetails.Exception != nil {
				text += " " + ev.ExceptionDetails.Exception.Description
			}
			list = append(list, text+" line "+strconv.FormatInt(ev.ExceptionDetails.LineNumber, 10))
			tb.Errorf("exception in the page: %s", list[len(list)-1])
		}
		done <- list
	}()
	tb.Cleanup(cancel)
}
