package methods

// Version is the state of research of the rows of Builtin.
const Version = "2026-11-22"

// Where the rows were read. None of it is the law's own text read by a lawyer: therefore no row is confirmed as shipped.
const (
	sourceEGov = "e-Gov law 420M60000F5A001 (laws.e-gov.go.jp), by way of a public digest of its revisions"
	sourceJ24  = "npa.go.jp JAFIC 250624; e-Gov 420M60000F5A001 revision of 2026-08-06 by way of a public digest"
	sourceJ27  = "npa.go.jp JAFIC 260306; e-Gov 420M60000F5A001_20270401_508M60000F5A005 by way of a public digest, not in force yet"
	sourceTel  = "e-Gov law 417M60000008167 revision of 2026-08-06 (laws.e-gov.go.jp), by way of a public digest"
	verifier   = "the operator must itself be a signature verifier (公的個人認証法17条4項)"
)

// Builtin is the table as shipped. Its first day is where research began, not where the law did: a record of before has
// no row, and what has no row may not be used.
func Builtin() Table {
	const begin, ka, reform = Day(20250101), Day(20250624), Day(20270401)
	t, err := newTable([]Row{
		{
			Act: AML, Code: InPersonChip, Article: "6条1項1号イ", From: begin, To: 20270331, Source: sourceEGov,
			Note: "presentation of the card in person; its chip is read on top of it",
		},
		{
			Act: AML, Code: InPersonChip, Article: "6条1項1号（号番号未確認）", From: reform, Source: sourceJ27,
			Note: "presentation in person with the chip read and shown, mandatory from this day; the letter is not confirmed",
		},
		{
			Act: AML, Code: JPKISignature, Article: "6条1項1号ワ", From: begin, To: 20250623, Source: "polarify.co.jp/jpki; " + sourceJ24,
			Note: verifier,
		},
		{Act: AML, Code: JPKISignature, Article: "6条1項1号カ", From: ka, To: 20270331, Source: sourceJ24, Note: verifier},
		{
			Act: AML, Code: JPKISignature, Article: "6条1項1号ヌ（号番号未確認）", From: reform, Source: sourceJ27,
			Note: "renumbered; ヌ is what a digest of the coming text says and is not confirmed; " + verifier,
		},
		{
			Act: Telecom, Code: InPersonChip, Article: "3条1項1号イ", From: 20260401, Source: sourceTel,
			Note: "presentation in person; the day from which the chip must be read in shops was not found",
		},
		{
			Act: Telecom, Code: JPKISignature, Article: "3条1項1号ト", From: 20260401, Source: sourceTel,
			Note: "rule as of 2026-04-01; the letters of before were not researched",
		},
	})
	if err != nil {
		return Table{} // no rows: nothing may be used. A test proves that it does not happen.
	}
	return t
}
