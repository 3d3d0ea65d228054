// The relying party that most Node.js applications are built on, with every check
// turned on that it has.
import { check, http, introspects, privateKey, refused, same, settings, step, unauthorized } from './party.mjs'
import { Browser, logIn, passThrough } from './browser.mjs'
import * as client from 'openid-client'

const metadata = {
  redirect_uris: [settings.redirectURI],
  id_token_signed_response_alg: settings.idTokenAlg,
  require_auth_time: true,
}

async function authentication() {
  switch (settings.auth) {
    case 'client_secret_basic':
      return client.ClientSecretBasic(settings.secret)
    case 'client_secret_post':
      return client.ClientSecretPost(settings.secret)
    case 'private_key_jwt':
      return client.PrivateKeyJwt(await privateKey())
    case 'none':
      return client.None()
  }
  throw new Error(`CLIENT_AUTH is ${settings.auth}`)
}

const discover = async (algorithm) =>
  client.discovery(settings.issuer, settings.clientID, metadata, await authentication(), {
    algorithm,
    execute: [
      client.enableNonRepudiationChecks, // signatures are verified although TLS vouches for them
      ...(http ? [client.allowInsecureRequests] : []),
    ],
  })

const config = await step('discovery (OpenID Connect)', () => discover('oidc'))
const server = config.serverMetadata()
await step('discovery (RFC 8414) says the same', async () => {
  const other = (await discover('oauth2')).serverMetadata()
  for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint', 'introspection_endpoint']) {
    same(other[name], server[name], name)
  }
})
await step('the metadata promises what follows', async () => {
  check(server.supportsPKCE(), 'PKCE with S256 is not announced')
  check(server.authorization_response_iss_parameter_supported, 'iss in authorization responses is not announced')
  check(server.token_endpoint_auth_methods_supported.includes(settings.auth), `${settings.auth} is not announced`)
  for (const grant of ['authorization_code', 'refresh_token']) check(server.grant_types_supported.includes(grant), `${grant} is not announced`)
})

const browser = new Browser()

/** authorize goes through one authorization by way of the browser and returns the tokens. */
async function authorize(way, parameters = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: settings.redirectURI,
    scope: settings.scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: '3600',
    state,
    nonce,
    ...parameters,
  })
  const back = await way(browser, url)
  const redeem = () =>
    client.authorizationCodeGrant(config, back, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      maxAge: 3600,
      idTokenExpected: true,
    })
  return { tokens: await redeem(), redeem }
}

const withPassword = (b, url) => logIn(b, url, settings)
const withoutPage = (b, url) => passThrough(b, url, settings.redirectURI)

const { tokens: first } = await step('login, consent, code, ID token', () => authorize(withPassword))
const { sub } = first.claims()
await step('the tokens are what was asked for', () => {
  check(first.refresh_token, 'there is no refresh token')
  check(first.expiresIn() > 0, 'expires_in is missing')
})

const userinfo = await step('userinfo', () => client.fetchUserInfo(config, first.access_token, sub))
await step('userinfo tells the mail address', () => check(userinfo.email, 'there is none'))

let tokens = first
for (const time of ['first', 'second']) {
  tokens = await step(`refresh, the ${time} time`, async () => {
    const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
    check(fresh.refresh_token && fresh.refresh_token !== tokens.refresh_token, 'the refresh token was not rotated')
    check(fresh.access_token !== tokens.access_token, 'the access token is the same')
    if (fresh.id_token) same(fresh.claims().sub, sub, 'sub')
    return fresh
  })
}
await step('userinfo with the fresh token', () => client.fetchUserInfo(config, tokens.access_token, sub))

async function active(token, want, what) {
  const answer = await client.tokenIntrospection(config, token)
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

await step('revocation', () => client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' }))
await step('revocation of what is revoked already', () => client.tokenRevocation(config, tokens.refresh_token))
await step('a revoked refresh token is refused', () => refused('invalid_grant', () => client.refreshTokenGrant(config, tokens.refresh_token)))
await step('userinfo refuses its access token', () => unauthorized(() => client.fetchUserInfo(config, tokens.access_token, sub)))
if (introspects) {
  await step('introspection calls both inactive', async () => {
    await active(tokens.refresh_token, false, 'the refresh token')
    await active(tokens.access_token, false, 'the access token')
  })
}

const silent = await step('prompt=none, with the session', () => authorize(withoutPage, { prompt: 'none', id_token_hint: first.id_token }))
await step('it is the same person', () => same(silent.tokens.claims().sub, sub, 'sub'))
await step('a code is good once', () => refused('invalid_grant', silent.redeem))
await step('and its replay revokes what came of it', () => unauthorized(() => client.fetchUserInfo(config, silent.tokens.access_token, sub)))

if (settings.clientCredentials) {
  await step('client credentials', async () => {
    const answer = await client.clientCredentialsGrant(config)
    check(!answer.refresh_token && !answer.id_token, 'there is nobody whom these tokens could be for')
  })
}

const end = await step('the address of the logout', () =>
  client.buildEndSessionUrl(config, {
    id_token_hint: first.id_token,
    state: 'bye',
    ...(settings.postLogoutRedirectURI && { post_logout_redirect_uri: settings.postLogoutRedirectURI }),
  }),
)
if (settings.postLogoutRedirectURI) {
  await step('logout', async () => {
    const back = await passThrough(browser, end, settings.postLogoutRedirectURI)
    same(back.searchParams.get('state'), 'bye', 'state')
  })
  await step('prompt=none, without the session', () => refused('login_required', () => authorize(withoutPage, { prompt: 'none' })))
}
