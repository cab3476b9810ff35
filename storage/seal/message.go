package seal

import "crypto"

// SignMessage signs a message of a domain with the root's private key. Each domain is named once, in the package of the
// message, and a signature of one means nothing in another. The caller caps the message.
func SignMessage(root crypto.Signer, domain string, message []byte) ([]byte, error) {
	r, err := NewRoot(root.Public())
	if err != nil {
		return nil, err
	}
	sig, err := signRoot(root, framed(domain, message))
	if err != nil || !r.VerifyMessage(domain, message, sig) {
		return nil, ErrForged
	}
	return sig, nil
}

// VerifyMessage checks what SignMessage signed. The domain of key lists is not for it.
func (r *Root) VerifyMessage(domain string, message, sig []byte) bool {
	return r != nil && domain != listDomain && r.verify(framed(domain, message), sig)
}
