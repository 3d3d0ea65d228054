package attack

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"

	"dex/internal/protocol/jose"
)

// attack makes a hostile token out of a good one. Nothing comes of it where it cannot be
// made of such a token.
type attack struct {
	name  string
	forge func(w *world, t token) string
}

// How most attacks are made: honest are those that the owner of the key has signed, so
// that nothing but what is wrong stands against them.

// head sets a header that the sender signs.
func head(name string, value any) func(*world, token) string {
	return func(_ *world, t token) string {
		t.head[name] = value
		return t.signed()
	}
}

// strange sets a header, and a stranger signs.
func strange(name string, value any) func(*world, token) string {
	return func(_ *world, t token) string {
		t.head[name] = value
		return t.forged()
	}
}

// rawHead replaces the JSON of the header.
func rawHead(change func(header string) string) func(*world, token) string {
	return func(_ *world, t token) string { return t.sealed(b64(change(text(t.head))) + "." + b64(text(t.body))) }
}

// rawBody replaces the JSON of the claims.
func rawBody(change func(claims string) string) func(*world, token) string {
	return func(_ *world, t token) string { return t.sealed(b64(text(t.head)) + "." + b64(change(text(t.body)))) }
}

// spelt changes the good token as a text.
func spelt(change func(good string) string) func(*world, token) string {
	return func(_ *world, t token) string { return change(t.signed()) }
}

// unsigned says that nobody has signed.
func unsigned(alg any, signature string) func(*world, token) string {
	return func(_ *world, t token) string {
		t.head["alg"] = alg
		return t.input() + "." + signature
	}
}

// shared signs in HS256 with what everybody knows.
func shared(secret func(t token) []byte) func(*world, token) string {
	return func(_ *world, t token) string {
		if t.key.kind() == "oct" {
			return ""
		}
		t.head["alg"] = hs256
		input := t.input()
		return input + "." + b64(mac(secret(t), input))
	}
}

func spki(t token) []byte {
	der, err := x509.MarshalPKIXPublicKey(t.key.private.Public())
	if err != nil {
		panic(err)
	}
	return der
}

// numbers makes a signature of two numbers, as the curve has them.
func numbers(pair func(n *big.Int) (r, s *big.Int)) func(*world, token) string {
	return func(_ *world, t token) string {
		private, ok := t.key.private.(*ecdsa.PrivateKey)
		if !ok {
			return ""
		}
		r, s := pair(private.Params().N)
		size := (private.Params().BitSize + 7) / 8
		return t.bears(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
	}
}

// resigned changes a good signature.
func resigned(kinds string, change func(t token, signature []byte) []byte) func(*world, token) string {
	return func(_ *world, t token) string {
		if kinds != "" && !strings.Contains(kinds, t.key.kind()) {
			return ""
		}
		return t.bears(change(t, t.key.sign(t.key.alg, t.input())))
	}
}

// last cuts a text before its last dot.
func last(s string) (before, after string) {
	i := strings.LastIndexByte(s, '.')
	return s[:i], s[i+1:]
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// within puts a member in front of those of an object.
func within(member string) func(string) string {
	return func(json string) string { return "{" + member + "," + json[1:] }
}

// corpus are the hostile tokens, signed in whatever way the good one is. What claims they
// may have differs between consumers: those attacks are below.
var corpus = []attack{
	// The form: one spelling of one serialisation, and no other.
	{"one part", spelt(func(s string) string { return s[:strings.IndexByte(s, '.')] })},
	{"two parts", spelt(func(s string) string { before, _ := last(s); return before })},
	{"four parts", spelt(func(s string) string { return s + ".e30" })},
	{"an empty fourth part", spelt(func(s string) string { return s + "." })},
	{"sixteen thousand dots", spelt(func(string) string { return strings.Repeat(".", 16000) })},
	{"dots behind it", spelt(func(s string) string { return s + strings.Repeat(".", 14000) })},
	{"no header", spelt(func(s string) string { return s[strings.IndexByte(s, '.'):] })},
	{"no payload", func(_ *world, t token) string { return t.sealed(b64(text(t.head)) + ".") }},
	{"no signature", spelt(func(s string) string { before, _ := last(s); return before + "." })},
	{"flattened JSON", spelt(func(s string) string {
		p := strings.Split(s, ".")
		return text(object{"protected": p[0], "payload": p[1], "signature": p[2]})
	})},
	{"general JSON with two signatures", spelt(func(s string) string {
		p := strings.Split(s, ".")
		one := object{"protected": p[0], "signature": p[2]}
		return text(object{"payload": p[1], "signatures": []object{one, one}})
	})},
	{"padding", spelt(func(s string) string { return s + "==" })},
	{"padding in the middle", spelt(func(s string) string { return strings.Replace(s, ".", "=.", 1) })},
	{"the alphabet of base64", func(_ *world, t token) string {
		t.head["x"] = "???>>>~~~" // which base64url writes with - and _
		return t.sealed(base64.RawStdEncoding.EncodeToString([]byte(text(t.head))) + "." + b64(text(t.body)))
	}},
	{"a space before", spelt(func(s string) string { return " " + s })},
	{"a line break behind", spelt(func(s string) string { return s + "\n" })},
	{"a line break within", spelt(func(s string) string { return s[:9] + "\r\n" + s[9:] })},
	{"NUL behind", spelt(func(s string) string { return s + "\x00" })},
	{"no text at all", spelt(func(s string) string { return s + "\xff\xfe" })},
	{"dots in percent", spelt(func(s string) string { return strings.ReplaceAll(s, ".", "%2E") })},
	{"bits that encode nothing", func(_ *world, t token) string {
		s := t.signed()
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, s[len(s)-1])
		if i&1 != 0 || (len(s)-1-strings.LastIndexByte(s, '.'))%4 == 3 {
			return "" // this signature leaves no bits over
		}
		return s[:len(s)-1] + alphabet[i+1:i+2]
	}},
	{"longer than tokens are", func(_ *world, t token) string {
		t.body["x"] = strings.Repeat("x", jose.MaxToken)
		return t.signed()
	}},
	{"a scheme before it", spelt(func(s string) string { return "Bearer " + s })},
	{"two of them", spelt(func(s string) string { return s + "," + s })},

	// Who signed.
	{"by a stranger", func(_ *world, t token) string { return t.forged() }},
	{"the signature of another", func(_ *world, t token) string {
		_, signature := last(t.signed())
		t.body["x"] = "y"
		return t.input() + "." + signature
	}},
	{"another header over the signature", func(_ *world, t token) string {
		_, signature := last(t.signed())
		t.head["x"] = "y"
		return t.input() + "." + signature
	}},
	{"a signature of nothing", func(_ *world, t token) string { return t.bears(t.key.sign(t.key.alg, "")) }},
	{"a signature of the claims alone", func(_ *world, t token) string { return t.bears(t.key.sign(t.key.alg, b64(text(t.body)))) }},
	{"a short signature", resigned("", func(_ token, s []byte) []byte { return s[:len(s)-1] })},
	{"a long signature", resigned("", func(_ token, s []byte) []byte { return append(s, 0) })},
	{"zeros before the signature", resigned("", func(_ token, s []byte) []byte { return append([]byte{0}, s...) })},
	{"the signature twice", resigned("", func(_ token, s []byte) []byte { return append(s, s...) })},
	{"one bit of the signature", resigned("", func(_ token, s []byte) []byte { s[len(s)/2] ^= 1; return s })},
	{"a signature of zeros", resigned("", func(_ token, s []byte) []byte { return make([]byte, len(s)) })},
	{"a signature of ones", resigned("", func(_ token, s []byte) []byte { return bytes.Repeat([]byte{0xff}, len(s)) })},
	{"a signature of one byte", resigned("", func(token, []byte) []byte { return []byte{1} })},
	{"psychic: r and s are 0", numbers(func(*big.Int) (*big.Int, *big.Int) { return new(big.Int), new(big.Int) })},
	{"psychic: r is 0", numbers(func(*big.Int) (*big.Int, *big.Int) { return new(big.Int), big.NewInt(1) })},
	{"psychic: s is 0", numbers(func(*big.Int) (*big.Int, *big.Int) { return big.NewInt(1), new(big.Int) })},
	{"psychic: r and s are the order", numbers(func(n *big.Int) (*big.Int, *big.Int) { return n, n })},
	{"psychic: r is the order, s is 1", numbers(func(n *big.Int) (*big.Int, *big.Int) { return n, big.NewInt(1) })},
	{"r and s in the other order", resigned("EC", func(_ token, s []byte) []byte { return slices.Concat(s[len(s)/2:], s[:len(s)/2]) })},
	{"a signature in DER", func(_ *world, t token) string {
		private, ok := t.key.private.(*ecdsa.PrivateKey)
		if !ok {
			return ""
		}
		der, err := ecdsa.SignASN1(rand.Reader, private, []byte(t.input())[:32])
		if err != nil {
			panic(err)
		}
		return t.bears(der)
	}},
	{"s of an Edwards curve, and the order once more", resigned("OKP", func(_ token, s []byte) []byte {
		order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		half := slices.Clone(s[32:])
		slices.Reverse(half)
		more := new(big.Int).Add(new(big.Int).SetBytes(half), order).FillBytes(make([]byte, 32))
		slices.Reverse(more)
		return append(s[:32], more...)
	})},
	{"an RSA signature plus the modulus", resigned("RSA", func(t token, s []byte) []byte {
		n, _ := base64.RawURLEncoding.DecodeString(t.key.public()["n"].(string))
		return new(big.Int).Add(new(big.Int).SetBytes(s), new(big.Int).SetBytes(n)).Bytes()
	})},

	// The algorithm.
	{"alg none", unsigned("none", "")},
	{"alg None", unsigned("None", "")},
	{"alg NONE", unsigned("NONE", "")},
	{"alg nOnE", unsigned("nOnE", "")},
	{"alg none, with a signature", unsigned("none", "AAAA")},
	{"alg none, in two parts", func(_ *world, t token) string { t.head["alg"] = "none"; return t.input() }},
	{"no alg", func(_ *world, t token) string { delete(t.head, "alg"); return t.signed() }},
	{"alg is nothing", head("alg", "")},
	{"alg is null", head("alg", nil)},
	{"alg is a number", head("alg", 256)},
	{"alg is a list", func(_ *world, t token) string { t.head["alg"] = []any{t.key.alg}; return t.signed() }},
	{"alg in small letters", func(_ *world, t token) string {
		t.head["alg"] = strings.ToLower(string(t.key.alg))
		return t.signed()
	}},
	{"alg with a space", func(_ *world, t token) string { t.head["alg"] = string(t.key.alg) + " "; return t.signed() }},
	{"alg of another hash", func(_ *world, t token) string {
		t.head["alg"] = map[string]string{"EC": "ES384", "RSA": "RS512", "OKP": "Ed448", "oct": "HS512"}[t.key.kind()]
		return t.signed()
	}},
	{"alg of another kind of key", func(_ *world, t token) string {
		t.head["alg"] = map[string]string{"EC": "RS256", "RSA": "ES256", "OKP": "ES256", "oct": "ES256"}[t.key.kind()]
		return t.signed()
	}},
	{"alg of the other padding", func(_ *world, t token) string {
		if t.key.kind() != "RSA" {
			return ""
		}
		t.head["alg"] = map[byte]string{'R': "PS256", 'P': "RS256"}[t.key.alg[0]]
		return t.signed()
	}},
	{"alg ES256K", head("alg", "ES256K")},
	{"alg RS1", head("alg", "RS1")},
	{"alg dir", head("alg", "dir")},
	{"alg RSA1_5", head("alg", "RSA1_5")},
	{"alg PBES2-HS256+A128KW", head("alg", "PBES2-HS256+A128KW")},
	{"HS256 with the key in PEM", shared(func(t token) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(t)})
	})},
	{"HS256 with the key in PEM without its last line break", shared(func(t token) []byte {
		return bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki(t)}))
	})},
	{"HS256 with the key in DER", shared(spki)},
	{"HS256 with the key as a JWK", shared(func(t token) []byte { return []byte(text(t.key.public())) })},
	{"HS256 with the bytes of the key", shared(func(t token) []byte {
		jwk := t.key.public()
		for _, name := range []string{"n", "x"} {
			if v, ok := jwk[name].(string); ok {
				raw, _ := base64.RawURLEncoding.DecodeString(v)
				return raw
			}
		}
		return nil
	})},
	{"HS256 with nothing", func(_ *world, t token) string {
		t.head["alg"] = hs256
		input := t.input()
		return input + "." + b64(mac(nil, input))
	}},
	{"HS256 with a zero", func(_ *world, t token) string {
		t.head["alg"] = hs256
		input := t.input()
		return input + "." + b64(mac(make([]byte, 32), input))
	}},
	{"HS256 with the sender's name", func(_ *world, t token) string {
		t.head["alg"] = hs256
		sub, _ := t.body["sub"].(string)
		input := t.input()
		return input + "." + b64(mac([]byte(sub), input))
	}},

	// The key.
	{"jku", func(w *world, t token) string { t.head["jku"] = w.canary; return t.forged() }},
	{"x5u", func(w *world, t token) string { t.head["x5u"] = w.canary; return t.forged() }},
	{"kid is an address", func(w *world, t token) string { t.head["kid"] = w.canary; return t.forged() }},
	{"x5c", func(w *world, t token) string {
		t.head["x5c"] = []string{base64.StdEncoding.EncodeToString(w.stranger.Leaf.Raw)}
		return t.forged()
	}},
	{"a key of its own", func(_ *world, t token) string {
		if t.key.kind() == "oct" {
			t.head["jwk"] = object{"kty": "oct", "k": b64(t.stranger.secret)}
		} else if _, embedded := t.head["jwk"]; !embedded {
			t.head["jwk"] = t.stranger.public()
		}
		return t.forged()
	}},
	{"kid of nobody", strange("kid", "nobody")},
	{"kid is nothing", strange("kid", "")},
	{"kid is null", strange("kid", nil)},
	{"kid is a number", strange("kid", 0)},
	{"kid is a list", strange("kid", []string{"a", "b"})},
	{"kid is an object", strange("kid", object{"$ne": ""})},
	{"kid is a file", strange("kid", "../../../../../../dev/null")},
	{"kid is a query", strange("kid", "x' UNION SELECT 'AAAA' --")},
	{"kid is a command", strange("kid", "|/usr/bin/id")},
	{"kid with NUL", strange("kid", "jwt-1\x00")},
	{"kid is a pattern", strange("kid", "*")},
	{"a long kid", strange("kid", strings.Repeat("k", 8000))},

	// What changes how the token is read.
	{"crit", head("crit", []string{"exp"})},
	{"crit of nothing", head("crit", []string{})},
	{"crit is null", head("crit", nil)},
	{"crit of what is not there", head("crit", []string{"http://example.com/x"})},
	{"b64 is false", func(_ *world, t token) string {
		t.head["b64"], t.head["crit"] = false, []string{"b64"}
		input := b64(text(t.head)) + "." + text(t.body)
		return t.sealed(input)
	}},
	{"b64 is false, and not critical", func(_ *world, t token) string {
		t.head["b64"] = false
		return t.sealed(b64(text(t.head)) + "." + text(t.body))
	}},
	{"b64 is true", head("b64", true)},
	{"zip", head("zip", "DEF")},
	{"enc", head("enc", "A128GCM")},
	{"a type that there is not", head("typ", "x+jwt")},
	{"a type of something else", head("typ", "secevent+jwt")},
	{"the type is a number", head("typ", 1)},
	{"the type is a list", head("typ", []string{"JWT"})},
	{"a token in the token", func(_ *world, t token) string {
		t.head["cty"] = "JWT"
		return t.sealed(b64(text(t.head)) + "." + b64(t.signed()))
	}},
	{"encrypted to our key", func(w *world, t token) string {
		encrypted, err := jose.Encrypt([]byte(t.signed()), "JWT", w.ours, jose.A128GCM)
		if err != nil {
			panic(err)
		}
		return encrypted
	}},
	{"five parts of nothing", spelt(func(string) string { return "e30.AA.AA.AA.AA" })},

	// The header as JSON.
	{"alg twice", rawHead(within(`"alg":"none"`))},
	{"alg twice by an escape", rawHead(within(`"al\u0067":"none"`))},
	{"kid twice", rawHead(within(`"kid":"a","kid":"b"`))},
	{"another member twice", rawHead(within(`"x":1,"x":2`))},
	{"ALG is alg to nobody", rawHead(func(s string) string { return strings.Replace(s, `"alg"`, `"ALG"`, 1) })},
	{"the header is a list", rawHead(func(s string) string { return "[" + s + "]" })},
	{"the header is a text", rawHead(func(string) string { return `"alg"` })},
	{"the header is null", rawHead(func(string) string { return `null` })},
	{"the header is empty", rawHead(func(string) string { return `{}` })},
	{"the header is no text", rawHead(within("\"x\":\"\xff\xfe\""))},
	{"the header in UTF-16", rawHead(func(s string) string {
		var wide []byte
		for _, c := range []byte(s) {
			wide = append(wide, c, 0)
		}
		return string(wide)
	})},
	{"the header behind a mark", rawHead(func(s string) string { return "\xef\xbb\xbf" + s })},
	{"something behind the header", rawHead(func(s string) string { return s + "{}" })},
	{"a comment in the header", rawHead(func(s string) string { return "/**/" + s })},
	{"a deep header", rawHead(within(`"x":` + deep(3000)))},
	{"a deep header, cut off", rawHead(func(string) string { return `{"x":` + strings.Repeat("[", 9000) })},
	{"a header of no number", rawHead(within(`"x":NaN`))},

	// The claims as JSON.
	{"claims that are a list", rawBody(func(s string) string { return "[" + s + "]" })},
	{"claims that are a text", rawBody(func(s string) string { return text(s) })},
	{"claims that are null", rawBody(func(string) string { return `null` })},
	{"claims that are a number", rawBody(func(string) string { return `1` })},
	{"no claims", rawBody(func(string) string { return `{}` })},
	{"claims that are no JSON", rawBody(func(s string) string { return strings.ReplaceAll(s, `"`, `'`) })},
	{"claims that are no text", rawBody(within("\"x\":\"\xff\xfe\""))},
	{"claims that are half a surrogate", rawBody(within("\"x\":\"\xed\xa0\x80\""))},
	{"claims behind a mark", rawBody(func(s string) string { return "\xef\xbb\xbf" + s })},
	{"something behind the claims", rawBody(func(s string) string { return s + "{}" })},
	{"a comma behind the claims", rawBody(func(s string) string { return s[:len(s)-1] + ",}" })},
	{"claims of no number", rawBody(within(`"x":NaN`))},
	{"a claim twice", rawBody(within(`"iat":1,"iat":1`))},
	{"a claim twice by an escape", rawBody(within(`"i\u0061t":1,"iat":1`))},
	{"any claim twice", rawBody(within(`"x":1,"x":1`))},
	{"deep claims", rawBody(within(`"x":` + deep(3000)))},
	{"deep claims of objects", rawBody(within(`"x":` + strings.Repeat(`{"x":`, 1500) + "1" + strings.Repeat("}", 1500)))},
	{"claims that end early", rawBody(func(s string) string { return s[:len(s)-1] })},
}

// claim sets a claim, and the sender signs.
func claim(name string, value any) func(*world, token) string {
	return func(_ *world, t token) string {
		t.body[name] = value
		return t.signed()
	}
}

// rawClaim sets a claim to what no encoder writes.
func rawClaim(name, value string) func(*world, token) string {
	return func(_ *world, t token) string {
		delete(t.body, name)
		return t.sealed(b64(text(t.head)) + "." + b64(within(`"`+name+`":`+value)(text(t.body))))
	}
}

// claims are hostile in what they say, for those who look at the claims of RFC 7519.
var claims = []attack{
	{"exp is past", func(w *world, t token) string { t.body["exp"] = w.s.Clock.Now().Unix() - 3600; return t.signed() }},
	{"exp is null", claim("exp", nil)},
	{"exp is a text", func(w *world, t token) string { t.body["exp"] = "99999999999"; return t.signed() }},
	{"exp is true", claim("exp", true)},
	{"exp is a list", claim("exp", []int{99999999999})},
	{"exp is below zero", claim("exp", -1)},
	{"exp beyond the calendar", claim("exp", 253402300800)},
	{"exp beyond an integer", rawClaim("exp", "18446744073709551616")},
	{"exp beyond a float", rawClaim("exp", "1e999")},
	{"nbf of the future", func(w *world, t token) string { t.body["nbf"] = w.s.Clock.Now().Unix() + 3600; return t.signed() }},
	{"nbf is a text", claim("nbf", "0")},
	{"iat of the future", func(w *world, t token) string { t.body["iat"] = w.s.Clock.Now().Unix() + 3600; return t.signed() }},
	{"iat is a text", claim("iat", "0")},
	{"iss of another", claim("iss", "https://elsewhere.example.com")},
	{"iss is a list", func(_ *world, t token) string { t.body["iss"] = []any{t.body["iss"]}; return t.signed() }},
	{"iss with a slash", func(_ *world, t token) string { t.body["iss"] = t.body["iss"].(string) + "/"; return t.signed() }},
	{"iss in capitals", func(_ *world, t token) string {
		t.body["iss"] = strings.ToUpper(t.body["iss"].(string))
		return t.signed()
	}},
	{"iss twice", rawBody(within(`"iss":"https://elsewhere.example.com"`))},
	{"aud of another", claim("aud", "https://elsewhere.example.com")},
	{"aud is nothing", claim("aud", "")},
	{"aud is null", claim("aud", nil)},
	{"aud is nobody", claim("aud", []string{})},
	{"aud is a number", claim("aud", 1)},
	{"aud is an object", func(_ *world, t token) string { t.body["aud"] = object{"aud": t.body["aud"]}; return t.signed() }},
	{"aud within a list", func(_ *world, t token) string { t.body["aud"] = []any{[]any{t.body["aud"]}}; return t.signed() }},
	{"aud with null", func(_ *world, t token) string { t.body["aud"] = []any{t.body["aud"], nil}; return t.signed() }},
	{"aud with a slash", func(_ *world, t token) string { t.body["aud"] = first(t.body["aud"]) + "/"; return t.signed() }},
	{"aud before more", func(_ *world, t token) string {
		t.body["aud"] = first(t.body["aud"]) + ".example.com"
		return t.signed()
	}},
	{"sub is a number", claim("sub", 7)},
	{"sub is a list", claim("sub", []string{"usr_ann"})},
	{"jti is a number", claim("jti", 7)},
	{"jti is an object", claim("jti", object{})},
}

func first(aud any) string {
	if list, ok := aud.([]any); ok {
		return list[0].(string)
	}
	s, _ := aud.(string)
	return s
}

// badKeys are key sets' members that verify nothing: in the header of a proof, in the
// registration of a client, in what a provider publishes. What has signed with them
// would be believed if they were taken.
func badKeys(w *world) map[string]object {
	good := func(k key, change func(object)) object {
		jwk := k.public()
		change(jwk)
		return jwk
	}
	set := func(k key, name string, value any) object { return good(k, func(jwk object) { jwk[name] = value }) }
	p256 := elliptic.P256().Params()
	return map[string]object{
		"no kind":                              good(w.ec, func(jwk object) { delete(jwk, "kty") }),
		"a kind in small letters":              set(w.ec, "kty", "ec"),
		"a symmetric key":                      {"kty": "oct", "k": b64("secret secret secret secret secret")},
		"a symmetric key beside":               set(w.ec, "k", "AAAA"),
		"its private part":                     set(w.ec, "d", b64(bytes.Repeat([]byte{1}, 32))),
		"its private part, of nothing":         set(w.ec, "d", ""),
		"a key to encrypt to":                  set(w.ec, "use", "enc"),
		"a key that signs":                     set(w.ec, "key_ops", []string{"sign"}),
		"another algorithm":                    set(w.ec, "alg", "RS256"),
		"no algorithm":                         set(w.ec, "alg", "none"),
		"a symmetric algorithm":                set(w.ec, "alg", "HS256"),
		"beside its curve":                     set(w.ec, "y", b64(bytes.Repeat([]byte{7}, 32))),
		"at infinity":                          {"kty": "EC", "crv": "P-256", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))},
		"beyond its field":                     {"kty": "EC", "crv": "P-256", "x": b64(p256.P.Bytes()), "y": b64(p256.P.Bytes())},
		"of another curve":                     set(w.ec, "crv", "P-384"),
		"of a short curve":                     {"kty": "EC", "crv": "P-224", "x": b64(make([]byte, 28)), "y": b64(make([]byte, 28))},
		"of a curve of coins":                  set(w.ec, "crv", "secp256k1"),
		"without a curve":                      good(w.ec, func(jwk object) { delete(jwk, "crv") }),
		"without y":                            good(w.ec, func(jwk object) { delete(jwk, "y") }),
		"with a short x":                       set(w.ec, "x", "AQ"),
		"with a long x":                        set(w.ec, "x", b64(append(make([]byte, 8), bytes.Repeat([]byte{1}, 32)...))),
		"x is a number":                        set(w.ec, "x", 1),
		"a point of small order":               {"kty": "OKP", "crv": "Ed25519", "x": b64(append([]byte{1}, make([]byte, 31)...))},
		"a point of order two":                 {"kty": "OKP", "crv": "Ed25519", "x": b64(slices.Concat([]byte{0xec}, bytes.Repeat([]byte{0xff}, 30), []byte{0x7f}))},
		"an Edwards key too short":             {"kty": "OKP", "crv": "Ed25519", "x": b64(make([]byte, 31))},
		"a key to agree with":                  {"kty": "OKP", "crv": "X25519", "x": b64(bytes.Repeat([]byte{9}, 32))},
		"RSA of 512 bits":                      {"kty": "RSA", "n": b64(odd(512)), "e": "AQAB"},
		"RSA of 1024 bits":                     {"kty": "RSA", "n": b64(odd(1024)), "e": "AQAB"},
		"RSA of 2047 bits":                     {"kty": "RSA", "n": b64(odd(2047)), "e": "AQAB"},
		"RSA of 16384 bits":                    {"kty": "RSA", "n": b64(odd(16384)), "e": "AQAB"},
		"RSA of nothing":                       {"kty": "RSA", "n": "", "e": "AQAB"},
		"RSA of zero":                          {"kty": "RSA", "n": b64(make([]byte, 256)), "e": "AQAB"},
		"RSA with the exponent 1":              {"kty": "RSA", "n": b64(odd(2048)), "e": "AQ"},
		"RSA with the exponent 2":              {"kty": "RSA", "n": b64(odd(2048)), "e": "Ag"},
		"RSA with the exponent 0":              {"kty": "RSA", "n": b64(odd(2048)), "e": ""},
		"RSA with an even modulus":             {"kty": "RSA", "n": b64(append(odd(2040), 0)), "e": "AQAB"},
		"RSA with a huge exponent":             {"kty": "RSA", "n": b64(odd(2048)), "e": b64(append([]byte{1}, make([]byte, 255)...))},
		"RSA with an exponent of 3 and a turn": {"kty": "RSA", "n": b64(odd(2048)), "e": b64([]byte{1, 0, 0, 0, 0, 0, 0, 0, 3})},
		"a certificate alone":                  {"kty": "EC", "x5c": []string{base64.StdEncoding.EncodeToString(w.stranger.Leaf.Raw)}},
		"a long id":                            set(w.ec, "kid", strings.Repeat("k", 4000)),
	}
}

// odd returns an odd number of so many bits.
func odd(bits int) []byte {
	n := make([]byte, (bits+7)/8)
	if _, err := rand.Read(n); err != nil {
		panic(err)
	}
	n[0] &= 0xff >> ((8 - bits%8) % 8)
	n[0] |= 1 << ((bits - 1) % 8)
	n[len(n)-1] |= 1
	return n
}
