// Package torture holds one test: the kiosk's storage, as a process of its own on a disk whose power is cut, and HQ's
// receiver, which fails in every way it can, over random histories. It has no code of its own.
package torture
