// The library under openid-client, which leaves each check to whoever calls it:
// here all are made.
import { check, http, introspects, privateKey, refused, same, settings, step, unauthorized } from './party.mjs'
import { Browser, logIn, passThrough } from './browser.mjs'
import * as oauth from 'oauth4webapi'

const options = { [oauth.allowInsecureRequests]: http }

const client = {
  client_id: settings.clientID,
  id_token_signed_response_alg: settings.idTokenAlg,
  require_auth_time: true,
}

async function authentication() {
  switch (settings.auth) {
    case 'client_secret_basic':
      return oauth.ClientSecretBasic(settings.secret)
    case 'client_secret_post':
      return oauth.ClientSecretPost(settings.secret)
    case 'private_key_jwt':
      return oauth.PrivateKeyJwt(await privateKey())
    case 'none':
      return oauth.None()
  }
  throw new Error(`CLIENT_AUTH is ${settings.auth}`)
}

const prove = await step('the client’s proof', authentication)

const discover = async (algorithm) =>
  oauth.processDiscoveryResponse(settings.issuer, await oauth.discoveryRequest(settings.issuer, { algorithm, ...options }))

const server = await step('discovery (OpenID Connect)', () => discover('oidc'))
await step('discovery (RFC 8414) says the same', async () => {
  const other = await discover('oauth2')
  for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint', 'introspection_endpoint']) {
    same(other[name], server[name], name)
  }
})
await step('the metadata promises what follows', () => {
  check(server.code_challenge_methods_supported?.includes('S256'), 'PKCE with S256 is not announced')
  check(!server.code_challenge_methods_supported.includes('plain'), 'PKCE without a hash is announced')
  check(server.authorization_response_iss_parameter_supported, 'iss in authorization responses is not announced')
  check(server.id_token_signing_alg_values_supported.includes(settings.idTokenAlg), `${settings.idTokenAlg} is not announced`)
})

const browser = new Browser()

/** authorize goes through one authorization by way of the browser and returns the tokens. */
async function authorize(way, parameters = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(server.authorization_endpoint)
  const asked = {
    client_id: settings.clientID,
    response_type: 'code',
    redirect_uri: settings.redirectURI,
    scope: settings.scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: '3600',
    state,
    nonce,
    ...parameters,
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)

  const answer = oauth.validateAuthResponse(server, client, await way(browser, url), state)
  const redeem = async (with_ = verifier) => {
    const response = await oauth.authorizationCodeGrantRequest(server, client, prove, answer, settings.redirectURI, with_, options)
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      maxAge: 3600,
      requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(server, response, options)
    return tokens
  }
  return { redeem }
}

const withPassword = (b, url) => logIn(b, url, settings)
const withoutPage = (b, url) => passThrough(b, url, settings.redirectURI)

const login = await step('login, consent, code', () => authorize(withPassword))
await step('another verifier does not redeem it', () => refused('invalid_grant', () => login.redeem(oauth.generateRandomCodeVerifier())))
const first = await step('and does not spend it: token, ID token and its signature', () => login.redeem())
const { sub } = oauth.getValidatedIdTokenClaims(first)
await step('the tokens are what was asked for', () => {
  check(first.refresh_token, 'there is no refresh token')
  check(first.expires_in > 0, 'expires_in is missing')
})

if (settings.accessTokenAudience) {
  await step('the access token is a JWT (RFC 9068)', async () => {
    const request = new Request(server.userinfo_endpoint, { headers: { authorization: `Bearer ${first.access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, settings.accessTokenAudience, options)
    same(claims.sub, sub, 'sub')
    same(claims.client_id, settings.clientID, 'client_id')
  })
}

const askUserinfo = async (token) =>
  oauth.processUserInfoResponse(server, client, sub, await oauth.userInfoRequest(server, client, token, options))

const userinfo = await step('userinfo', () => askUserinfo(first.access_token))
await step('userinfo tells the mail address', () => check(userinfo.email, 'there is none'))

async function refresh(token) {
  const response = await oauth.refreshTokenGrantRequest(server, client, prove, token, options)
  const fresh = await oauth.processRefreshTokenResponse(server, client, response)
  if (fresh.id_token) await oauth.validateApplicationLevelSignature(server, response, options)
  return fresh
}

let tokens = first
for (const time of ['first', 'second']) {
  tokens = await step(`refresh, the ${time} time`, async () => {
    const fresh = await refresh(tokens.refresh_token)
    check(fresh.refresh_token && fresh.refresh_token !== tokens.refresh_token, 'the refresh token was not rotated')
    check(fresh.access_token !== tokens.access_token, 'the access token is the same')
    if (fresh.id_token) same(oauth.getValidatedIdTokenClaims(fresh).sub, sub, 'sub')
    return fresh
  })
}

async function active(token, want, what) {
  const response = await oauth.introspectionRequest(server, client, prove, token, options)
  const answer = await oauth.processIntrospectionResponse(server, client, response)
  same(answer.active, want, `active, of ${what}`)
  return answer
}

if (introspects) {
  await step('introspection of the access token', async () => {
    const answer = await active(tokens.access_token, true, 'the access token')
    same(answer.sub, sub, 'sub')
    same(answer.client_id, settings.clientID, 'client_id')
  })
  await step('introspection of the refresh token', () => active(tokens.refresh_token, true, 'the refresh token'))
  await step('introspection of nonsense', () => active('nonsense', false, 'nonsense'))
}

const revoke = async (token) =>
  oauth.processRevocationResponse(await oauth.revocationRequest(server, client, prove, token, options))

await step('revocation', () => revoke(tokens.refresh_token))
await step('revocation of what is revoked already', () => revoke(tokens.refresh_token))
await step('a revoked refresh token is refused', () => refused('invalid_grant', () => refresh(tokens.refresh_token)))
await step('userinfo refuses its access token', () => unauthorized(() => askUserinfo(tokens.access_token)))
if (introspects) {
  await step('introspection calls both inactive', async () => {
    await active(tokens.refresh_token, false, 'the refresh token')
    await active(tokens.access_token, false, 'the access token')
  })
}

const silent = await step('prompt=none, with the session', () => authorize(withoutPage, { prompt: 'none', id_token_hint: first.id_token }))
const again = await step('code, token, ID token and its signature', () => silent.redeem())
await step('it is the same person', () => same(oauth.getValidatedIdTokenClaims(again).sub, sub, 'sub'))
await step('a code is good once', () => refused('invalid_grant', () => silent.redeem()))
await step('and its replay revokes what came of it', () => unauthorized(() => askUserinfo(again.access_token)))

if (settings.clientCredentials) {
  await step('client credentials', async () => {
    const response = await oauth.clientCredentialsGrantRequest(server, client, prove, {}, options)
    const answer = await oauth.processClientCredentialsResponse(server, client, response)
    check(!answer.refresh_token && !answer.id_token, 'there is nobody whom these tokens could be for')
  })
}

await step('logout', async () => {
  const end = new URL(server.end_session_endpoint)
  end.searchParams.set('id_token_hint', first.id_token)
  end.searchParams.set('state', 'bye')
  if (!settings.postLogoutRedirectURI) return
  end.searchParams.set('post_logout_redirect_uri', settings.postLogoutRedirectURI)
  const back = await passThrough(browser, end, settings.postLogoutRedirectURI)
  same(back.searchParams.get('state'), 'bye', 'state')
  await refused('login_required', () => authorize(withoutPage, { prompt: 'none' }))
})
