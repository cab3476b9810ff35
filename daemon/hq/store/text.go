package store

import (
	"strings"

	"madoguchi/storage/record"
)

// JoinParts and SplitParts are the column of parts: names, with commas between.
func JoinParts(parts []record.Part) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p)
	}
	return strings.Join(words, ",")
}

// SplitParts reads what JoinParts wrote.
func SplitParts(s string) []record.Part {
	var out []record.Part
	for _, w := range SplitWords(s) {
		out = append(out, record.Part(w))
	}
	return out
}

// SplitWords splits at commas; an empty text has no words.
func SplitWords(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
