package session

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"madoguchi/daemon/flow"
	"madoguchi/daemon/jpki"
	"madoguchi/daemon/policy"
	"madoguchi/daemon/present"
	"madoguchi/hardware/card"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/ui/i18n"
)

// signed is what a signature brought. The certificate and the signature are for the platform operator (duty 6).
type signed struct {
	der       *secret.Bytes
	signature *secret.Bytes
	chain     policy.Check // the local pre-check, never the deciding result
}

func (s *signed) wipe() { secret.Wipe(s.der, s.signature) }

// document makes the exact text that is shown and signed: the consents as given and what is applied for. It has one
// form only: UTF-8, a line feed after each line.
func (s *Session) document(at time.Time) *secret.Bytes {
	lang := present.Lang(s.state.Settings)
	c := i18n.For(lang)
	d := &c.Document
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	line(d.Heading)
	line(d.Statement)
	line()
	line(d.Service, s.Profile.ID)
	if ref := s.caseOf(); ref.Ref != "" {
		line(d.Case, ref.Ref)
	}
	line(d.Kiosk, s.Device)
	line(d.At, at.In(jst()).Format("2006-01-02 15:04:05 -07:00"))
	for _, item := range present.ConsentItems(s.state) {
		if !item.Ticked {
			continue
		}
		title, body, _ := i18n.ConsentText(lang, item.ID, item.Version)
		line()
		line(d.Consent, title, " (", item.ID, " ", item.Version, ")")
		line(body)
	}
	return secret.New([]byte(b.String()))
}

// freeze keeps the document as it was on the screen when the customer went on to sign it.
func (s *Session) freeze(before flow.State) {
	if before.Shown || !s.state.Shown {
		return
	}
	s.vault.document.Wipe()
	s.vault.document = s.vault.draft
	s.vault.draft = nil
}

// sign spends one try of the signature password and signs the document's hash.
func (s *Session) sign(ctx context.Context, c *card.Card, w cardWork, out *readResult) error {
	signer, err := c.SignSigner(ctx, w.typed, card.SignOptions{LastTry: w.lastTry})
	if err != nil {
		return err
	}
	defer signer.Close()
	sum := sha256.Sum256(w.document.Reveal())
	signature, err := signer.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return err
	}
	cert := signer.Certificate()
	out.signed = signed{der: cert.DER, signature: secret.New(signature)}
	parsed, err := jpki.Parse(jpki.Sign, cert.DER.Reveal())
	if err != nil {
		return errCertificate
	}
	defer parsed.Wipe()
	if out.signed.chain, err = s.chain(parsed, w.now); err != nil {
		return err
	}
	h := &parsed.Holder
	out.attrs = card.Attributes{Name: h.Name.Clone(), Address: h.Address.Clone(), Birth: h.Birth.Clone(), Sex: h.Sex.Clone()}
	return nil
}

var (
	errCertificate = errors.New("session: the certificate cannot be read")
	errCertExpired = errors.New("session: the certificate is not in force")
)

// chain is the local pre-check. It can refuse early; that nothing speaks against a certificate says nothing of its
// revocation. An expired one is not a matter for staff: the customer needs a new one.
func (s *Session) chain(c *jpki.Certificate, now time.Time) (policy.Check, error) {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return policy.NotChecked, errCertExpired
	}
	if len(s.Authorities) == 0 {
		return policy.NotChecked, nil
	}
	switch err := c.Verify(s.Authorities, now); {
	case err == nil:
		return policy.Pass, nil
	case errors.Is(err, jpki.ErrForged):
		return policy.Fail, nil
	}
	return policy.Unsure, nil
}

// certificatePart is the short-lived part of the record.
func (v *vault) certificatePart() *record.Certificate {
	if v.signed.der.Len() == 0 {
		return nil
	}
	return &record.Certificate{DER: v.signed.der.Clone(), Signature: v.signed.signature.Clone(), Document: v.document.Clone()}
}

// signedEvidence is what stays of the signature.
func (v *vault) signedEvidence() record.Signed {
	if v.signed.der.Len() == 0 {
		return record.Signed{}
	}
	sum := sha256.Sum256(v.document.Reveal())
	return record.Signed{SHA256: hex.EncodeToString(sum[:]), Scheme: "rsa-pkcs1-sha256", Chain: v.signed.chain.String()}
}
