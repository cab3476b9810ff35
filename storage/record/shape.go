package record

import (
	"math"
	"slices"

	"madoguchi/storage/canon"
)

// Caps of the fields, in bytes or elements.
const (
	capWord  = 128       // ids, codes, names of things
	capNote  = 1024      // method notes
	capText  = 2048      // a name or an address, UTF-8
	capImage = 128 << 10 // one image of the chip
	capFace  = 256 << 10
	capDER   = 16 << 10
	capCMS   = 48 << 10

	capDocument  = 16 << 10
	capSignature = 1 << 10
	maxSteps     = 512
	maxOthers    = 64 // consents, reasons
	maxScore     = 10000
)

// frame is what every part begins with, and the part itself under "value". Keys are in ascending order.
func frame(c *canon.Coder, r *Record, p Part) {
	c.Object("", func() {
		c.Time("created", &r.Created)
		c.String("device", &r.Device, MaxDevice)
		c.Const("part", string(p))
		c.String("record", &r.ID, 36)
		schema := Version
		c.Int("schema", &schema, Version, Version)
		if c.Reading() {
			r.grow(p)
		}
		c.Object("value", func() { value(c, r, p) })
		c.Strings("virtual", &r.Virtual, len(VirtualParts()), capWord)
		for i, v := range r.Virtual {
			if !slices.Contains(VirtualParts(), v) || i > 0 && r.Virtual[i-1] >= v {
				c.Fail(canon.CodeValue, "virtual")
			}
		}
		if !ValidID(r.ID) {
			c.Fail(canon.CodeValue, "record")
		}
		if !ValidDevice(r.Device) {
			c.Fail(canon.CodeValue, "device")
		}
	})
}

// grow makes an empty part for the reader to fill.
func (r *Record) grow(p Part) {
	switch p {
	case PartIdentity:
		r.Identity = &Identity{}
	case PartImages:
		r.Images = &Images{}
	case PartEvidence:
		r.Evidence = &Evidence{}
	case PartCertificate:
		r.Certificate = &Certificate{}
	case PartMyNumber:
		r.MyNumber = &MyNumber{}
	}
}

func value(c *canon.Coder, r *Record, p Part) {
	switch p {
	case PartIdentity:
		identity(c, r.Identity)
	case PartImages:
		c.Blob("address", &r.Images.Address, capImage)
		c.Blob("face", &r.Images.Face, capFace)
		c.Blob("name", &r.Images.Name, capImage)
	case PartEvidence:
		evidence(c, r.Evidence)
	case PartCertificate:
		c.Blob("cms", &r.Certificate.CMS, capCMS)
		c.Blob("der", &r.Certificate.DER, capDER)
		c.Text("document", &r.Certificate.Document, capDocument)
		c.Blob("signature", &r.Certificate.Signature, capSignature)
	case PartMyNumber:
		c.Text("number", &r.MyNumber.Number, capWord)
		c.String("purpose", &r.MyNumber.Purpose, capNote)
	}
}

func identity(c *canon.Coder, i *Identity) {
	c.Text("address", &i.Address, capText)
	c.Text("birth", &i.Birth, capWord)
	c.String("card_expiry", &i.CardExpiry, capWord)
	c.Text("card_serial", &i.CardSerial, capWord)
	c.String("municipality", &i.Municipality, capWord)
	c.Text("name", &i.Name, capText)
	c.Text("sex", &i.Sex, capWord)
	c.String("source", &i.Source, capWord)
}

func evidence(c *canon.Coder, e *Evidence) {
	c.String("camera", &e.Camera, capWord)
	c.Object("card", func() { cardEvidence(c, &e.Card) })
	c.Object("case", func() {
		c.String("kind", &e.Case.Kind, capWord)
		c.String("ref", &e.Case.Ref, capWord)
	})
	c.String("channel", &e.Channel, capWord)
	canon.List(c, "consents", &e.Consents, maxOthers, func(v *Consent) { consent(c, v) })
	c.Object("decision", func() { decision(c, &e.Decision) })
	c.Object("face", func() { faceEvidence(c, &e.Face) })
	c.Time("finished", &e.Finished)
	c.Object("method", func() {
		c.String("code", &e.Method.Code, capWord)
		c.String("note", &e.Method.Note, capNote)
		c.String("statute", &e.Method.Statute, capNote)
	})
	c.String("presented_to", &e.PresentedTo, capWord)
	c.String("reader", &e.Reader, capWord)
	c.Object("representative", func() {
		v := &e.Representative
		c.String("document", &v.Document, capWord)
		c.Text("name", &v.Name, capText)
		c.String("note", &v.Note, capNote)
		c.String("reason", &v.Reason, capWord)
		c.String("relation", &v.Relation, capWord)
	})
	c.String("service", &e.Service, capWord)
	c.Object("signed", func() {
		c.String("chain", &e.Signed.Chain, capWord)
		c.String("scheme", &e.Signed.Scheme, capWord)
		c.String("sha256", &e.Signed.SHA256, 64)
	})
	c.String("software", &e.Software, capWord)
	c.Time("started", &e.Started)
	canon.List(c, "steps", &e.Steps, maxSteps, func(s *Step) {
		c.Object("", func() {
			c.Time("at", &s.At)
			c.String("name", &s.Name, capWord)
			c.String("note", &s.Note, capWord)
		})
	})
}

func consent(c *canon.Coder, v *Consent) {
	c.Object("", func() {
		c.Time("at", &v.At)
		c.Bool("given", &v.Given)
		c.String("id", &v.ID, capWord)
		c.String("lang", &v.Lang, capWord)
		c.String("sha256", &v.SHA256, 64)
		c.String("version", &v.Version, capWord)
	})
}

func cardEvidence(c *canon.Coder, v *CardEvidence) {
	c.Bool("confirmed", &v.Confirmed)
	c.String("genuineness", &v.Genuineness, capWord)
	c.String("issuer", &v.Issuer, capWord)
	c.String("kind", &v.Kind, capWord)
	c.String("reason", &v.Reason, capWord)
	c.String("route", &v.Route, capWord)
}

func faceEvidence(c *canon.Coder, v *FaceEvidence) {
	c.String("calibration", &v.Calibration, capWord)
	c.Int("frames", &v.Frames, 0, math.MaxInt32)
	c.String("live", &v.Live, capWord)
	c.Int("live_score", &v.LiveScore, -maxScore, maxScore)
	c.String("match", &v.Match, capWord)
	c.String("model", &v.Model, capNote)
	c.Strings("reasons", &v.Reasons, maxOthers, capWord)
	c.Int("score", &v.Score, -maxScore, maxScore)
	c.Int("threshold", &v.Threshold, -maxScore, maxScore)
	c.Bool("virtual_only", &v.VirtualOnly)
}

func decision(c *canon.Coder, v *Decision) {
	c.Time("at", &v.At)
	c.String("by", &v.By, capWord)
	c.String("note", &v.Note, capNote)
	c.String("outcome", &v.Outcome, capWord)
	c.String("reason", &v.Reason, capWord)
	c.String("staff", &v.Staff, capWord)
}
