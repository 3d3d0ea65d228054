// FAPI 2.0 with message signing, by oauth4webapi, which leaves each step to whoever calls
// it: signed requests, pushed; signed answers; DPoP; private_key_jwt.
import { check, http, privateKey, refused, same, settings, step, unauthorized } from './party.mjs'
import { Browser, logIn, passThrough } from './browser.mjs'
import * as oauth from 'oauth4webapi'

const options = { [oauth.allowInsecureRequests]: http }
const key = await privateKey()
const client = {
  client_id: settings.clientID,
  id_token_signed_response_alg: settings.idTokenAlg,
  authorization_signed_response_alg: settings.idTokenAlg,
}
const server = await step('discovery', async () =>
  oauth.processDiscoveryResponse(settings.issuer, await oauth.discoveryRequest(settings.issuer, options)),
)
const prove = oauth.PrivateKeyJwt(key, {
  // The issuer and nobody else, in one text: FAPI 2.0, section 5.3.2.1.
  [oauth.modifyAssertion]: (_header, payload) => {
    payload.aud = server.issuer
  },
})
const bind = async () => oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
const [DPoP, stranger] = [await bind(), await bind()]
const browser = new Browser()

/** push pushes what is asked for, signed unless it is said otherwise, and returns where the browser goes. */
async function push(parameters, signed = true) {
  const asked = signed ? { client_id: settings.clientID, request: await oauth.issueRequestObject(server, client, parameters, key) } : parameters
  const response = await oauth.pushedAuthorizationRequest(server, client, prove, asked, { ...options, DPoP })
  const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, response)
  const url = new URL(server.authorization_endpoint)
  url.search = new URLSearchParams({ client_id: settings.clientID, request_uri }).toString()
  return url
}

/** authorize goes through one authorization, and returns how its code is redeemed. */
async function authorize(way, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const url = await push({
    response_type: 'code',
    response_mode: 'jwt',
    redirect_uri: settings.redirectURI,
    scope: settings.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await DPoP.calculateThumbprint(),
    state,
    nonce,
    ...more,
  })
  const back = await way(browser, url)
  const answer = await oauth.validateJwtAuthResponse(server, client, back, state, options)
  const redeem = async (by = DPoP, with_ = verifier) => {
    const response = await oauth.authorizationCodeGrantRequest(server, client, prove, answer, settings.redirectURI, with_, { ...options, DPoP: by })
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true })
    await oauth.validateApplicationLevelSignature(server, response, options)
    return tokens
  }
  return { redeem }
}

const withPassword = (b, url) => logIn(b, url, settings)
const withoutPage = (b, url) => passThrough(b, url, settings.redirectURI)

const login = await step('a signed request, pushed; a login; a signed answer', () => authorize(withPassword))
await step('another key does not redeem the code', async () => {
  try {
    await login.redeem(stranger)
  } catch (e) {
    check(['invalid_grant', 'invalid_dpop_proof'].includes(e.error), `the error is ${e.error}`)
    return
  }
  throw new Error('it was redeemed')
})
await step('another verifier does not either', () => refused('invalid_grant', () => login.redeem(DPoP, oauth.generateRandomCodeVerifier())))
let tokens = await step('neither has spent it: tokens, and the signature of the ID token', () => login.redeem())
await step('the tokens are bound', () => same(tokens.token_type, 'dpop', 'token_type'))
const { sub } = oauth.getValidatedIdTokenClaims(tokens)

const askUserinfo = async (by, token = tokens.access_token) =>
  oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, token, { ...options, DPoP: by }))
await step('userinfo, with the key', async () => check((await askUserinfo(DPoP)).email, 'there is no mail address'))
await step('userinfo refuses another key', () => unauthorized(() => askUserinfo(stranger), 'dpop'))
await step('userinfo refuses who has no key', () => unauthorized(() => askUserinfo(undefined)))

const refresh = async (by, token = tokens.refresh_token) =>
  oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, prove, token, { ...options, DPoP: by }))
tokens = await step('refresh', async () => {
  const fresh = await refresh(DPoP)
  same(fresh.token_type, 'dpop', 'token_type')
  return { ...fresh, refresh_token: fresh.refresh_token ?? tokens.refresh_token }
})
await step('refresh without a key is refused', () => refused('invalid_dpop_proof', () => refresh(undefined)))
await step('introspection names the key', async () => {
  const response = await oauth.introspectionRequest(server, client, prove, tokens.access_token, options)
  const answer = await oauth.processIntrospectionResponse(server, client, response)
  same(answer.active, true, 'active')
  same(answer.cnf?.jkt, await DPoP.calculateThumbprint(), 'cnf.jkt')
})
await step('what is not signed is not taken', () =>
  refused('invalid_request_object', async () => push({ response_type: 'code', redirect_uri: settings.redirectURI, scope: settings.scope, client_id: settings.clientID }, false)),
)
const silent = await step('prompt=none, with the session', () => authorize(withoutPage, { prompt: 'none' }))
const again = await step('the code of it', () => silent.redeem())
await step('it is the same person', () => same(oauth.getValidatedIdTokenClaims(again).sub, sub, 'sub'))
await step('a code is good once', () => refused('invalid_grant', () => silent.redeem()))
await step('and its replay revokes what came of it', () => unauthorized(() => askUserinfo(DPoP, again.access_token), 'dpop'))
await step('revocation', async () =>
  oauth.processRevocationResponse(await oauth.revocationRequest(server, client, prove, tokens.refresh_token, options)),
)
await step('a revoked refresh token is refused', () => refused('invalid_grant', () => refresh(DPoP)))
