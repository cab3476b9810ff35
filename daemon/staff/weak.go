package staff

// Least of a stored PIN: fewer bytes of salt or key are not what Hash makes.
const (
	leastSalt = 16
	leastKey  = 32
)

// Weak says whether a stored hash is cheaper to break than those that Hash makes now: an older or a foreign one.
// Errors: ErrHash.
func Weak(hash string) (bool, error) {
	iter, salt, key, err := parse(hash)
	if err != nil {
		return false, err
	}
	return iter < iterations || len(salt) < leastSalt || len(key) < leastKey, nil
}
