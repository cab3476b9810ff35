// Package e2e holds the end-to-end tests and nothing else: the real programs in processes of their own, a real
// Chromium played by touch, and HQ asked what it received. Nothing imports it.
package e2e
