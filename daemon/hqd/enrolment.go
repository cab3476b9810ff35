package main

import (
	"crypto"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi/daemon/credential"
	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/enroll"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// enrolment gives the handler of enrolment, renewal and key list, and the list itself, whose public keys follow what is
// published. The TLS layer must let in who has no certificate yet (tls.VerifyClientCertIfGiven).
func enrolment(l setup.Layout, log *slog.Logger) (http.Handler, *seal.Store, error) {
	keys, err := setup.OpenList(l)
	if err != nil {
		return nil, nil, err
	}
	cert, err := os.ReadFile(filepath.Join(l.Receiver(), setup.FileIssuer))
	if err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(filepath.Join(l.Receiver(), sync.FileCA))
	if err != nil {
		return nil, nil, err
	}
	private, err := credential.FromEnvironment().Read(credential.IssuerKey, filepath.Join(l.Receiver(), setup.FileIssuerKey))
	if err != nil {
		return nil, nil, err
	}
	key, err := setup.ParseKey(private)
	if err != nil {
		return nil, nil, errors.New("the issuer's key: " + err.Error())
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, enroll.ErrIssuer
	}
	issuer, err := enroll.NewIssuer(cert, ca, signer)
	if err != nil {
		return nil, nil, err
	}
	return enroll.Handler(enroll.Options{
		Devices: device.Dir(l.Devices()), Codes: enroll.Codes(l.Codes()), Issuer: issuer, Keys: keys, Now: time.Now, Log: log,
	}), keys, nil
}
