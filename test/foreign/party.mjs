// What the scripts have in common: their settings, which come from the
// environment, and their steps, of which each prints one line.
import { webcrypto } from 'node:crypto'

// Node.js 18 has these, but not as globals. Both libraries look for the globals
// when they are used and not when they are imported.
globalThis.crypto ??= webcrypto
globalThis.CryptoKey ??= webcrypto.CryptoKey

function required(name) {
  const value = process.env[name]
  if (!value) {
    console.error(`${name} is not set`)
    process.exit(2)
  }
  return value
}

const auth = process.env.CLIENT_AUTH ?? 'client_secret_basic'

export const settings = {
  issuer: new URL(required('ISSUER')),
  clientID: required('CLIENT_ID'),
  auth, // client_secret_basic, client_secret_post, private_key_jwt or none
  secret: auth.startsWith('client_secret') ? required('CLIENT_SECRET') : undefined,
  redirectURI: required('REDIRECT_URI'),
  username: required('USERNAME'),
  password: required('PASSWORD'),
  connector: process.env.CONNECTOR, // the one to choose where there are several
  scope: process.env.SCOPE ?? 'openid profile email groups offline_access',
  idTokenAlg: process.env.ID_TOKEN_ALG ?? 'RS256',
  accessTokenAudience: process.env.ACCESS_TOKEN_AUDIENCE, // if set, access tokens have to be JWTs for it
  postLogoutRedirectURI: process.env.POST_LOGOUT_REDIRECT_URI, // if set, the logout is followed to it
  clientCredentials: process.env.CLIENT_CREDENTIALS === 'yes',
}

/** introspects says whether the client may ask about tokens: only one that can prove who it is. */
export const introspects = auth !== 'none'

/** http says whether the issuer is to be reached without TLS, which the libraries have to be told. */
export const http = settings.issuer.protocol === 'http:'

const IMPORT = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
}

/** privateKey reads the client's key, a JWK with kid and alg, from CLIENT_KEY. */
export async function privateKey() {
  const jwk = JSON.parse(required('CLIENT_KEY'))
  const key = await crypto.subtle.importKey('jwk', jwk, IMPORT[jwk.alg], false, ['sign'])
  return { key, kid: jwk.kid }
}

/** step does one thing and prints that it went well. What goes wrong ends the script. */
export async function step(name, act) {
  try {
    const result = await act()
    console.log(`ok    ${name}`)
    return result
  } catch (error) {
    console.log(`FAIL  ${name}`)
    for (let e = error; e; e = e.cause) {
      console.log(e instanceof Error ? (e.stack ?? String(e)) : e)
      for (const detail of ['code', 'error', 'error_description', 'status']) {
        if (e[detail] !== undefined) console.log(`      ${detail}: ${e[detail]}`)
      }
    }
    process.exit(1)
  }
}

export function check(condition, message) {
  if (!condition) throw new Error(message)
}

export function same(got, want, what) {
  check(got === want, `${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`)
}

/** refused makes sure that a request is refused with this OAuth error. */
export async function refused(error, act) {
  let result
  try {
    result = await act()
  } catch (e) {
    if (e.error === error) return
    throw e
  }
  throw new Error(`this was to be refused with ${error}, and was granted: ${Object.keys(result ?? {})}`)
}

/** unauthorized makes sure that the access token is refused (RFC 6750, section 3.1). */
export async function unauthorized(act, scheme = 'bearer') {
  try {
    await act()
  } catch (e) {
    const challenge = e.cause?.find?.((c) => c.scheme === scheme)
    if (e.status !== 401 || !challenge) throw e
    same(challenge.parameters.error, 'invalid_token', 'the error of the challenge')
    return
  }
  throw new Error('an access token that is no longer good was honoured')
}
