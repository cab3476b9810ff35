// Package packaging is the test of the Debian packages that build-deb.sh makes: the same bits twice, lintian, what they
// depend on, the processor baseline, and their life in a throw-away Debian root. It holds no code; nothing imports it.
package packaging
