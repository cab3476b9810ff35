package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"syscall"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/control"
	"madoguchi/daemon/doctor"
	"madoguchi/face"
	"madoguchi/face/jp2"
	"madoguchi/face/models"
	"madoguchi/hardware/camera"
	"madoguchi/hardware/pcsc"
	"madoguchi/hardware/v4l2"
	"madoguchi/storage/audit"
)

// sample is a grey ramp of 16 by 16 pixels, made with opj_compress.
//
//go:embed sample.jp2
var sample []byte

// probeLimit bounds the probes of devices.
const probeLimit = 10 * time.Second

// kioskDoctor is doctor: the whole kiosk.
func kioskDoctor(ctx context.Context, args []string, out io.Writer) error {
	f := flags("doctor")
	path := f.String("config", "/etc/madoguchi/kiosk.toml", "")
	asJSON := f.Bool("json", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	all := doctor.Examine(ctx, probes(*path))
	show := printFindings
	if *asJSON {
		show = encodeFindings
	}
	if err := show(out, all); err != nil {
		return err
	}
	if !doctor.Healthy(all) {
		return errUnhealthy
	}
	return nil
}

func encodeFindings(out io.Writer, all []doctor.Finding) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Healthy  bool             `json:"healthy"`
		Findings []doctor.Finding `json:"findings"`
	}{doctor.Healthy(all), all})
}

// printFindings prints findings as card doctor does, with the code for those who look it up.
func printFindings(out io.Writer, all []doctor.Finding) error {
	bad, unchecked := 0, 0
	for _, f := range all {
		word, code := string(f.Grade), ""
		if f.Grade == doctor.Bad {
			word = "BAD"
			bad++
		}
		if f.Unchecked {
			unchecked++
		}
		if f.Grade != doctor.OK {
			code = " [" + f.Code + "]"
		}
		if _, err := fmt.Fprintf(out, "%-5s %s%s\n", word, f.Text, code); err != nil {
			return err
		}
		if f.Cure != "" {
			if _, err := fmt.Fprintf(out, "      cure: %s\n", f.Cure); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(out, "%d bad, %d could not be checked\n", bad, unchecked)
	return err
}

// probes are the doctor's senses on the real machine.
func probes(path string) doctor.Probes {
	return doctor.Probes{
		Config: path, Load: config.Load, Files: doctor.Machine{}, Now: time.Now, Environ: os.Getenv, Clock: doctor.KernelClock,
		Live: liveQueue, Audit: liveAudit, AuditFiles: audit.Inspect, Readers: listReaders, Camera: lookAtCamera,
		Models: func(dir string) error {
			_, err := models.Load(dir)
			return err
		},
		Calibration: face.LoadCalibration,
		Picture:     decodeSample,
		HQ: doctor.HQ{
			Resolve: net.DefaultResolver.LookupHost,
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				return (&net.Dialer{Timeout: probeLimit / 2}).DialContext(ctx, "tcp", address)
			},
			Proxy: http.ProxyFromEnvironment, Client: wayToHQ,
		},
	}
}

// liveQueue asks a running kioskd. A socket that nobody listens at is left by one that ended.
func liveQueue(ctx context.Context, socket string) (doctor.Live, error) {
	a, err := ask(ctx, socket, control.Request{Do: control.DoQueueStatus})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return doctor.Live{}, doctor.ErrStopped
	case err != nil:
		return doctor.Live{}, err
	case a.Queue == nil:
		return doctor.Live{}, errors.New("kioskd said nothing of its queue")
	}
	q := a.Queue
	return doctor.Live{
		Waiting: q.Waiting, Shelved: q.Shelved, Oldest: q.Oldest, Room: q.Room, Quarantined: q.Quarantined, LastError: q.LastError,
		Skew: time.Duration(q.SkewSeconds * float64(time.Second)), SkewKnown: q.SkewKnown,
	}, nil
}

func liveAudit(ctx context.Context, socket string) (int64, error) {
	a, err := ask(ctx, socket, control.Request{Do: control.DoAuditVerify})
	if refusal := (*control.Refusal)(nil); err != nil && !errors.As(err, &refusal) {
		return 0, errors.Join(doctor.ErrStopped, err)
	}
	return a.Size, err
}

// listReaders asks pcscd for its readers; what lies on them is not touched.
func listReaders(ctx context.Context, match string) ([]doctor.Reader, error) {
	opt := pcsc.Options{}
	if match != "" {
		pin, err := regexp.Compile(match)
		if err != nil {
			return nil, err
		}
		opt.Pin = pin
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return readersOf(pcsc.New(opt).List(ctx))
}

// readersOf puts pcscd's list into the doctor's words.
func readersOf(all []pcsc.Listed, err error) ([]doctor.Reader, error) {
	switch {
	case errors.Is(err, pcsc.ErrNoCgo):
		return nil, doctor.ErrNoPCSC
	case err != nil:
		return nil, errors.Join(doctor.ErrService, err)
	}
	var out []doctor.Reader
	for _, l := range all {
		out = append(out, doctor.Reader{Name: l.Name, Presence: fmt.Sprint(l.Presence), Used: l.Used, SAM: l.SAM, Virtual: l.Virtual})
	}
	return out, nil
}

// lookAtCamera asks for the formats of the cameras; no picture is taken.
func lookAtCamera(ctx context.Context, device string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	seen, level := false, camera.Absent
	err := v4l2.New(v4l2.Options{Device: device}).Watch(ctx, func(l camera.Level) {
		seen, level = true, l
		cancel()
	})
	if !seen {
		return false, err
	}
	return level != camera.Absent, nil
}

// decodeSample decodes a picture of our own the way kioskd decodes the card's.
func decodeSample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	img, err := jp2.Decode(ctx, sample)
	if err != nil {
		return err
	}
	if b := img.Bounds(); b.Dx() != 16 || b.Dy() != 16 {
		return jp2.ErrDecode
	}
	return nil
}
