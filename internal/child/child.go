// Package child runs one function of this very program in a child process with hard limits, for work on bytes of
// strangers in a C library. A child that is killed, runs away or lies costs an error, never the daemon.
//
// The program calls Main first thing in main (tests: in TestMain); Run starts the running program's own file again with
// a marker in argv[1]. Any package of this module may import it; it imports nothing of ours, and it is the only one
// that uses os/exec.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Func is the work: input in, output out. An error makes the child exit with a status; its text is dropped.
type Func func(in []byte) ([]byte, error)

// Limits bound one run. Zero values mean the defaults in brackets.
type Limits struct {
	Memory uint64        // bytes the work may add to what the idle child has mapped, RLIMIT_AS [256 MiB]
	CPU    time.Duration // processor time, rounded up to seconds, RLIMIT_CPU [5 s]
	Wall   time.Duration // after this the child is killed [10 s]
	Input  int           // bytes [1 MiB]
	Output int           // bytes [16 MiB]
}

func (l Limits) defaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.Memory == 0 {
		l.Memory = 256 << 20
	}
	if l.CPU <= 0 {
		l.CPU = 5 * time.Second
	}
	if l.Wall <= 0 {
		l.Wall = 10 * time.Second
	}
	set(&l.Input, 1<<20)
	set(&l.Output, 16<<20)
	return l
}

// Kind says how a run failed.
type Kind string

// The kinds.
const (
	Start    Kind = "start"     // the child could not be started, or input beyond the limit
	Killed   Kind = "killed"    // ended by a signal, or by its own runtime, out of memory or time
	Failed   Kind = "failed"    // the function returned an error
	TooLarge Kind = "too-large" // more output than allowed
	NoMain   Kind = "no-main"   // the program does not call Main, or does not know the function
)

// Error is a run that gave no output. It never holds what the child wrote.
type Error struct {
	Name string
	Kind Kind
	Err  error // cause, for Start and Killed; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("child %s: %s: %v", e.Name, e.Kind, e.Err)
	}
	return fmt.Sprintf("child %s: %s", e.Name, e.Kind)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The protocol between parent and child.
const (
	marker     = "madoguchi-child"
	exitFailed = 41
	exitNoFunc = 42
	hello      = 'M' // first byte of the output: a program that does not call Main is found out
)

// Main serves a run when this process is a child, and then exits; otherwise it returns at once.
func Main(funcs map[string]Func) {
	if len(os.Args) != 7 || os.Args[1] != marker {
		return
	}
	os.Exit(serve(funcs, os.Args[2], os.Args[3:], os.Stdin, os.Stdout))
}

// serve is the child's side: arguments are memory, CPU seconds, input cap and how many files were given.
func serve(funcs map[string]Func, name string, args []string, in io.Reader, out io.Writer) int {
	f, ok := funcs[name]
	if !ok {
		return exitNoFunc
	}
	var n [4]uint64
	for i, a := range args {
		v, err := strconv.ParseUint(a, 10, 63)
		if err != nil {
			return exitNoFunc
		}
		n[i] = v
	}
	if err := restrict(n[0], n[1], FirstFile+n[3]); err != nil {
		return exitFailed
	}
	input, err := io.ReadAll(io.LimitReader(in, int64(n[2])+1)) //nolint:gosec // n[2] < 1<<63
	if err != nil || uint64(len(input)) > n[2] {
		return exitFailed
	}
	result, err := f(input)
	if err != nil {
		return exitFailed
	}
	if _, err := out.Write(append([]byte{hello}, result...)); err != nil {
		return exitFailed
	}
	return 0
}

// FirstFile is the descriptor of the first file of RunWith in the child.
const FirstFile = 3

// Run runs the named function on input in a child process. The child gets no environment but what the dynamic
// linker and the Go runtime need, and no files but stdin and stdout. Errors: *Error, or ctx.Err().
func Run(ctx context.Context, name string, l Limits, input []byte) ([]byte, error) {
	return RunWith(ctx, name, l, input)
}

// RunWith is Run for work on open files: the child finds them at the descriptors from FirstFile on, with the rights
// with which they were opened. It can open no others.
func RunWith(ctx context.Context, name string, l Limits, input []byte, files ...*os.File) ([]byte, error) {
	l = l.defaults()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(input) > l.Input {
		return nil, &Error{Name: name, Kind: Start, Err: errors.New("input beyond the limit")}
	}
	if len(os.Args) > 1 && os.Args[1] == marker { // a child that did not call Main: no children of children
		return nil, &Error{Name: name, Kind: NoMain}
	}
	limited, cancel := context.WithTimeout(ctx, l.Wall)
	defer cancel()
	seconds := uint64((l.CPU + time.Second - 1) / time.Second) //nolint:gosec // positive
	cmd := exec.CommandContext(limited, self, marker, name,
		strconv.FormatUint(l.Memory, 10), strconv.FormatUint(seconds, 10), strconv.Itoa(l.Input), strconv.Itoa(len(files)))
	cmd.Args[0] = os.Args[0]
	cmd.ExtraFiles = files
	out := &capped{max: l.Output + 1}
	cmd.Stdin, cmd.Stdout = bytes.NewReader(input), out
	cmd.Env = environment(os.Environ())
	cmd.SysProcAttr = attributes()
	runtime.LockOSThread() // Pdeathsig is about the thread that starts the child
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	return result(ctx, name, out, err)
}

// self is the file of the running program, whatever has become of its path: an upgrade may have replaced it, and a
// child must be of the same version.
const self = "/proc/self/exe"

// environment keeps what a child needs to start: no proxy, no credential, no path of ours.
func environment(all []string) []string {
	kept := []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	for _, kv := range all {
		if strings.HasPrefix(kv, "LD_LIBRARY_PATH=") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// result turns the end of the child into output or a typed error.
func result(ctx context.Context, name string, out *capped, err error) ([]byte, error) {
	if ctx.Err() != nil {
		clear(out.b)
		return nil, ctx.Err()
	}
	if err == nil && !out.over && len(out.b) > 0 && out.b[0] == hello {
		return out.b[1:], nil
	}
	clear(out.b)
	e := &Error{Name: name, Kind: NoMain}
	var exit *exec.ExitError
	switch {
	case out.over:
		e.Kind = TooLarge
	case errors.As(err, &exit):
		e.Kind = exitKind(exit)
	case err != nil:
		e.Kind, e.Err = Start, err
	}
	return nil, e
}

func exitKind(exit *exec.ExitError) Kind {
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return Killed
	}
	switch exit.ExitCode() {
	case exitFailed:
		return Failed
	case exitNoFunc:
		return NoMain
	}
	return Killed // the Go runtime's own end: a panic or out of memory
}

// capped collects at most limit bytes; a child that writes more is cut off by a broken pipe.
type capped struct {
	b    []byte
	max  int
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if len(c.b)+len(p) > c.max {
		c.over = true
		return 0, io.ErrShortWrite
	}
	c.b = append(c.b, p...)
	return len(p), nil
}
