package packaging

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testBaseline proves that the binaries run on x86-64-v2, as far as reading them can: the shipped .text is the one of a
// twin with symbols, and in the twin no function has an instruction beyond v2 but assembler of the Go standard library
// that is listed. That this assembler asks the processor first is Go's promise, not proven here; nor are Debian's
// libraries, which are made for x86-64 without any level.
func testBaseline(t *testing.T, dist string) {
	needTools(t, "objdump", "objcopy")
	exempt, assembler := readExempt(t), goAssembler(t)
	seen := map[string]bool{}
	for _, binary := range []string{"kioskd", "kioskctl", "hqd"} {
		twin := filepath.Join(dist, "symbols", binary)
		shipped := filepath.Join(dist, "stage/bin", binary)
		if a, b := text(t, shipped), text(t, twin); a != b {
			t.Fatalf("%s: the code that is shipped is not that of the twin with symbols", binary)
		}
		functions, beyond := disassemble(t, twin)
		if functions < 5000 {
			t.Fatalf("%s: only %d functions: this proves nothing", binary, functions)
		}
		for name, instruction := range beyond {
			rule := match(exempt, name)
			base := name[strings.LastIndex(strings.TrimSuffix(name, ".abi0"), ".")+1:]
			switch {
			case rule == "":
				t.Errorf("%s: %s has %q, which x86-64-v2 does not have", binary, name, instruction)
			case !assembler[strings.TrimSuffix(base, ".abi0")]:
				t.Errorf("%s: %s is exempt and yet no assembler of Go's standard library", binary, name)
			}
			seen[rule] = true
		}
	}
	for _, rule := range exempt {
		if !seen[rule] {
			t.Errorf("baseline-exempt.txt: %s exempts nothing", rule)
		}
	}
}

// testOldProcessor runs what is shipped on an emulated processor of 2008, an x86-64-v2 without AVX: the assembler that
// is exempt above really asks first, at least on these ways: keys, signatures, certificates, a card's whole reading.
func testOldProcessor(t *testing.T, dist string) {
	needTools(t, "qemu-x86_64", "gcc")
	old := func(command ...string) *exec.Cmd {
		return exec.CommandContext(t.Context(), "qemu-x86_64", append([]string{"-cpu", "Nehalem"}, command...)...)
	}
	dir := t.TempDir()
	control := filepath.Join(dir, "control")
	compile := exec.CommandContext(t.Context(), "gcc", "-mavx2", "-x", "c", "-o", control, "-")
	compile.Stdin = strings.NewReader("int main(void){__asm__ volatile(\"vpaddd %ymm0,%ymm0,%ymm0\");return 0;}")
	run(t, compile)
	if out, err := old(control).CombinedOutput(); err == nil || !strings.Contains(string(out), "Illegal instruction") {
		t.Fatalf("the emulated processor has AVX2, so this proves nothing: %v\n%s", err, out)
	}
	binary := func(name string) string { return filepath.Join(dist, "stage/bin", name) }
	run(t, old(binary("kioskd"), "-version"))
	run(t, old(binary("hqd"), "init", "-dir", filepath.Join(dir, "hq")))
	run(t, old(binary("kioskctl"), "trust", "virtual", filepath.Join(dir, "trust")))
	read := old(binary("kioskctl"), "card", "read", "--reader", "virtual:sato", "--route", "b", "--secrets", "-", "--json",
		"--trust", filepath.Join(dir, "trust"))
	read.Stdin = strings.NewReader(`{"number_b":"02041220314821"}`)
	if out := run(t, read); !strings.Contains(out, `"face":{"checked":true,"valid":true`) {
		t.Errorf("a card read on an old processor: %s", out)
	}
}

// disassemble gives the number of functions, and those with an instruction beyond x86-64-v2, with one of them.
func disassemble(t *testing.T, binary string) (functions int, beyond map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "objdump", "-d", "--no-show-raw-insn", binary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	beyond = map[string]string{}
	name, lines := "", bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasSuffix(line, ">:") {
			functions++
			name = line[strings.Index(line, "<")+1 : len(line)-2]
			continue
		}
		if _, instruction, ok := strings.Cut(line, "\t"); ok && isBeyond(instruction) {
			beyond[name] = strings.TrimSpace(instruction)
		}
	}
	if err := cmd.Wait(); err != nil || lines.Err() != nil {
		t.Fatal(err, lines.Err())
	}
	return functions, beyond
}

// isBeyond: AVX and above (every VEX and EVEX mnemonic begins with v, and has ymm, zmm or a mask if not), BMI, FMA,
// LZCNT, MOVBE, XSAVE: what x86-64-v3 and v4 add to v2.
func isBeyond(instruction string) bool {
	var op string
	for op = range strings.FieldsSeq(instruction) {
		if !slices.Contains([]string{"rep", "repz", "repnz", "lock", "bnd", "notrack", "data16"}, op) {
			break
		}
	}
	switch op {
	case "verr", "verw":
		return false
	case "andn", "bextr", "blsi", "blsmsk", "blsr", "bzhi", "pdep", "pext", "mulx", "rorx", "sarx", "shlx", "shrx", "lzcnt", "tzcnt", "movbe", "xgetbv":
		return true
	}
	return strings.HasPrefix(op, "v") || strings.Contains(instruction, "%ymm") || strings.Contains(instruction, "%zmm") || strings.Contains(instruction, "%k")
}

func TestIsBeyond(t *testing.T) {
	for instruction, want := range map[string]bool{
		"vpxor  %ymm0,%ymm1,%ymm2": true, "vaddsd %xmm0,%xmm1,%xmm2": true, "kmovq  %k1,%rax": true, "mulx   %rax,%rbx,%rcx": true,
		"rep stos %al,%es:(%rdi)": false, "pextrd $1,%xmm0,%eax": false, "popcnt %rax,%rax": false, "pshufb %xmm1,%xmm0": false,
		"verw   %ax": false, "mov    %rax,%rbx": false, "lock cmpxchg %rax,(%rbx)": false,
	} {
		if got := isBeyond(instruction); got != want {
			t.Errorf("%s: %v", instruction, got)
		}
	}
}

// text is the SHA-256 of the code of a binary.
func text(t *testing.T, binary string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "text")
	run(t, exec.CommandContext(t.Context(), "objcopy", "-O", "binary", "--only-section=.text", binary, out))
	if info, err := os.Stat(out); err != nil || info.Size() < 1<<20 {
		t.Fatalf("%s: no code: %v", binary, err)
	}
	return sum(t, out)
}

func readExempt(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("baseline-exempt.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	return rules
}

// match gives the rule that exempts a function.
func match(rules []string, name string) string {
	for _, rule := range rules {
		if ok, err := path.Match(rule, name); err == nil && ok {
			return rule
		}
	}
	return ""
}

// goAssembler are the names of all functions in assembler of the standard library.
func goAssembler(t *testing.T) map[string]bool {
	t.Helper()
	src := filepath.Join(strings.TrimSpace(run(t, exec.CommandContext(t.Context(), "go", "env", "GOROOT"))), "src")
	declared := regexp.MustCompile(`(?m)^TEXT\s+([^<(\s]+)`)
	names := map[string]bool{}
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".s") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(b), -1) {
			name := m[1]
			if at := strings.LastIndex(name, "·"); at >= 0 {
				name = name[at+len("·"):]
			}
			names[name] = true
		}
		return nil
	})
	if err != nil || len(names) < 500 {
		t.Fatal(len(names), err)
	}
	return names
}

// The compiler of the packages drops every wish for more than the baseline, wherever it comes from.
func TestCompilerWrapper(t *testing.T) {
	needTools(t, "gcc", "g++")
	for _, compiler := range []string{"gcc", "g++"} {
		cmd := exec.CommandContext(t.Context(), "toolchain/baseline-"+compiler, "-march=native", "-mtune=native", "-mavx2", "-mfma", "-mbmi2", "-O2",
			"-DKEPT=two words", "-dM", "-E", "-x", "c", os.DevNull)
		defined := run(t, cmd)
		for macro, want := range map[string]bool{
			"__SSE4_2__ 1": true, "__POPCNT__ 1": true, "__AVX__ 1": false, "__AVX2__ 1": false, "__FMA__ 1": false, "__BMI2__ 1": false,
			"KEPT two words": true, "__OPTIMIZE__ 1": true,
		} {
			if got := strings.Contains(defined, "#define "+macro); got != want {
				t.Errorf("baseline-%s: %s is %v", compiler, macro, got)
			}
		}
	}
}
