// Package chip is the engine of the virtual cards: applications, files, PINs with try counters, private keys and
// the commands of ISO 7816-4 and JICSAP that act on them. It knows no person and no file format; package perso
// fills it. It keeps no time and does no I/O: an Answer says what the reader should let happen.
//
// It is written independently of hardware/apdu, hardware/tlv and hardware/card and must not import them, so that
// a shared mistake cannot hide. Only hardware/virtual/... may import it.
package chip
