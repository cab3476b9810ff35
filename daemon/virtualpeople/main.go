// Command virtualpeople makes the virtual people that ship with the product: it searches faces which the
// recognition network can tell apart (-search), writes their files (-write) and measures those files (-check).
// It is a developer's tool; nothing imports it and no package contains it.
//
//	FACE_MODELS=<folder> go run ./daemon/virtualpeople -search
//	go run ./daemon/virtualpeople -write
//	FACE_MODELS=<folder> go run ./daemon/virtualpeople -check
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"madoguchi/face/opencv"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "virtualpeople:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("virtualpeople", flag.ContinueOnError)
	find := flags.Bool("search", false, "search seeds and print the table for people.go")
	write := flags.Bool("write", false, "write the files of the people in people.go")
	check := flags.Bool("check", false, "measure the written files")
	pool := flags.Int("pool", 100, "seeds tried per kind of face")
	first := flags.Uint64("first", 1, "first seed tried")
	dir := flags.String("dir", "hardware/virtual/people", "folder of the people")
	font := flags.String("font", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "font of names and addresses")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *write {
		if err := writeAll(*dir, *font); err != nil {
			return err
		}
	}
	if !*find && !*check {
		if *write {
			return nil
		}
		return errors.New("one of -search, -write, -check is needed")
	}
	engine, err := opencv.Open(os.Getenv("FACE_MODELS"))
	if err != nil {
		return fmt.Errorf("FACE_MODELS: %w", err)
	}
	defer engine.Close() //nolint:errcheck // never fails
	if *find {
		return search(engine, out, *first, *pool)
	}
	return report(engine, *dir, out)
}
