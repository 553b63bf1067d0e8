package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// JWT-SVID, section 3: subject, audience and end.
func signJWT(key *ecdsa.PrivateKey, subject string, audience []string) (string, error) {
	now := time.Now()
	part := func(value any) string {
		return base64.RawURLEncoding.EncodeToString(must(json.Marshal(value)))
	}
	signed := part(map[string]string{"alg": "ES256", "typ": "JWT", "kid": "1"}) + "." + part(map[string]any{
		"iss": "https://" + trustDomain,
		"sub": subject,
		"aud": audience,
		"iat": now.Unix(),
		"exp": now.Add(5 * time.Minute).Unix(),
	})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
