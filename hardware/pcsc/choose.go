package pcsc

import (
	"regexp"
	"strings"
)

// usable keeps the readers that may be used, best first. With pin only names that match it are usable. Else SAM
// slots never are, and where there is a contactless reader (PICC or CL in its name) nothing else is: the same
// device often shows a contact slot beside it.
func usable(names []string, pin *regexp.Regexp) []string {
	var contactless, others []string
	for _, name := range names {
		switch {
		case pin != nil:
			if pin.MatchString(name) {
				others = append(others, name)
			}
		case hasWord(name, "SAM"):
		case hasWord(name, "PICC") || hasWord(name, "CL"):
			contactless = append(contactless, name)
		default:
			others = append(others, name)
		}
	}
	if len(contactless) > 0 {
		return contactless
	}
	return others
}

// hasWord looks for a whole word, so that neither "SAMSUNG" is a SAM nor "CLOUD" contactless.
func hasWord(name, word string) bool {
	for field := range strings.FieldsFuncSeq(strings.ToUpper(name), func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		if field == word {
			return true
		}
	}
	return false
}

// isVirtual tells a vpcd reader by its name.
func isVirtual(name string) bool { return strings.HasPrefix(name, "Virtual PCD") }
