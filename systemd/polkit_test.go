package systemd_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/ui/browsertest"
)

// The rule is a program: it is run here with a stand-in for polkit, for our user and for others.
func TestPolkitRule(t *testing.T) {
	ctx := browsertest.Start(t, 800, 600)
	got := browsertest.Eval[[]string](t, ctx, `(() => {
		let rule
		const polkit = { Result: { YES: 'yes' }, addRule: f => { rule = f } }
		`+read(t, "polkit/50-madoguchi-kiosk.rules")+`
		const ask = (id, user) => rule({ id }, { user }) ?? 'not our matter'
		const pcsc = 'org.debian.pcsc-lite.'
		return [ask(pcsc + 'access_pcsc', 'madoguchi-kiosk'), ask(pcsc + 'access_card', 'madoguchi-kiosk'),
			ask(pcsc + 'access_card', 'nobody'), ask(pcsc + 'access_card', 'madoguchi-hq'), ask('org.freedesktop.login1.reboot', 'madoguchi-kiosk')]
	})()`)
	if d := cmp.Diff([]string{"yes", "yes", "not our matter", "not our matter", "not our matter"}, got); d != "" {
		t.Error(d)
	}
}
