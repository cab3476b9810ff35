package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pelletier/go-toml/v2"
)

// fileConfig is /etc/madoguchi/hq.toml; every key stands for the flag of the same name, and a flag that is given wins.
type fileConfig struct {
	Dir      string `toml:"dir"`
	Store    string `toml:"store"`
	Bodies   string `toml:"bodies"`
	Receiver struct {
		Listen  string `toml:"listen"`
		Profile string `toml:"profile"`
		Memory  int    `toml:"memory_mib"`
		Rate    int    `toml:"device_rate"`
		Burst   int    `toml:"device_burst"`
	} `toml:"receiver"`
	Opener struct {
		Listen      string `toml:"listen"`
		Parts       string `toml:"parts"`
		Tokens      string `toml:"tokens"`
		AddressFile string `toml:"address_file"`
		Incomplete  string `toml:"incomplete"`
	} `toml:"opener"`
}

// loadConfig reads the file, strictly.
func loadConfig(path string) (*fileConfig, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	c := &fileConfig{}
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// values are the flags that the file sets for a role.
func (c *fileConfig) values(role string) map[string]string {
	all := map[string]string{"dir": c.Dir, "store": c.Store, "bodies": c.Bodies}
	switch role {
	case roleReceiver:
		r := c.Receiver
		all["listen"], all["profile"] = r.Listen, r.Profile
		all["memory-mib"], all["device-rate"], all["device-burst"] = number(r.Memory), number(r.Rate), number(r.Burst)
	case roleOpener:
		all["listen"], all["parts"], all["address-file"], all["tokens"] = c.Opener.Listen, c.Opener.Parts, c.Opener.AddressFile, c.Opener.Tokens
		all["incomplete"] = c.Opener.Incomplete
	}
	return all
}

// number is the text of a number that is set.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// The roles, which are subcommands too.
const (
	roleReceiver = "receiver"
	roleOpener   = "opener"
	roleSweep    = "sweep"
)

// parseRole is parse with -config, whose values stand for the flags that are not given.
func parseRole(role string, f *flag.FlagSet, args []string, dir *string) error {
	f.StringVar(dir, "dir", "", "HQ's directory")
	path := f.String("config", "", "configuration file, e.g. /etc/madoguchi/hq.toml; flags win")
	if err := f.Parse(args); err != nil {
		return errUsage
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	if *path != "" {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		for name, value := range c.values(role) {
			if value == "" || given[name] {
				continue
			}
			if err := f.Set(name, value); err != nil {
				return err
			}
		}
	}
	if *dir == "" || f.NArg() > 0 {
		f.Usage()
		return errUsage
	}
	return nil
}
