package hub

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"madoguchi/ui/push"
)

// errUnknownKey is given for a key that is neither the token nor the session secret.
var errUnknownKey = errors.New("hub: unknown key")

// login checks the key of a first frame. The token burns on use and gives a new session secret, which ends the
// session before it; the camera's websocket takes session secrets only.
func (h *Hub) login(key []byte, tokens bool) (minted string, err error) {
	hash := push.HashKey(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case tokens && h.token.Equal(hash):
		h.token = push.KeyHash{}
		minted = push.NewKey()
		h.session = push.HashKey([]byte(minted))
		if err := saveHash(h.opt.HashFile, h.session); err != nil {
			// the page works, but will need a new token after a restart
			h.log.Error("the session hash could not be saved", slog.Any("err", err))
		}
		return minted, nil
	case h.session.Equal(hash):
		return "", nil
	}
	return "", errUnknownKey
}

func loadHash(path string) push.KeyHash {
	var h push.KeyHash
	if path == "" {
		return h
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != hex.EncodedLen(len(h)) {
		return h
	}
	if _, err := hex.Decode(h[:], b); err != nil {
		return push.KeyHash{}
	}
	return h
}

// saveHash replaces the file in one step; nobody else may read it.
func saveHash(path string, h push.KeyHash) error {
	if path == "" {
		return nil
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(tmp, []byte(hex.EncodeToString(h[:])), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
