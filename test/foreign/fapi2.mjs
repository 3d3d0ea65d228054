// FAPI 2.0 with message signing, by openid-client: requests are signed and pushed, the
// answer is signed, tokens are bound to a key, and the client proves itself by another.
import { check, http, privateKey, refused, same, settings, step } from './party.mjs'
import { Browser, logIn, passThrough } from './browser.mjs'
import * as client from 'openid-client'

const key = await privateKey()
const config = await step('discovery', () =>
  client.discovery(
    settings.issuer,
    settings.clientID,
    {
      redirect_uris: [settings.redirectURI],
      id_token_signed_response_alg: settings.idTokenAlg,
      authorization_signed_response_alg: settings.idTokenAlg,
      use_mtls_endpoint_aliases: false,
    },
    client.PrivateKeyJwt(key, {
      // The issuer and nobody else, in one text: FAPI 2.0, section 5.3.2.1.
      [client.modifyAssertion]: (_header, payload) => {
        payload.aud = settings.issuer.href.replace(/\/$/, '')
      },
    }),
    { execute: [client.enableNonRepudiationChecks, client.useJwtResponseMode, ...(http ? [client.allowInsecureRequests] : [])] },
  ),
)
const server = config.serverMetadata()
await step('the metadata promises what follows', () => {
  check(server.pushed_authorization_request_endpoint, 'requests cannot be pushed')
  check(server.dpop_signing_alg_values_supported.includes('ES256'), 'DPoP with ES256 is not announced')
  check(server.response_modes_supported.includes('jwt'), 'signed answers are not announced')
  check(server.authorization_signing_alg_values_supported.includes(settings.idTokenAlg), `answers in ${settings.idTokenAlg} are not announced`)
  check(server.request_object_signing_alg_values_supported.includes('ES256'), 'request objects in ES256 are not announced')
})

const browser = new Browser()
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

/** authorize goes through one authorization, and returns the tokens. */
async function authorize(way, parameters = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const signed = await client.buildAuthorizationUrlWithJAR(
    config,
    {
      redirect_uri: settings.redirectURI,
      scope: settings.scope,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
      state,
      nonce,
      ...parameters,
    },
    key,
  )
  const url = await client.buildAuthorizationUrlWithPAR(config, signed.searchParams, { DPoP })
  same([...url.searchParams.keys()].sort().join(' '), 'client_id request_uri', 'what the browser takes along')
  const back = await way(browser, url)
  same([...back.searchParams.keys()].join(' '), 'response', 'what the browser brings back')
  const redeem = (proof) =>
    client.authorizationCodeGrant(
      config,
      back,
      { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
      undefined,
      { DPoP: proof },
    )
  return { redeem, url }
}

const withPassword = (b, url) => logIn(b, url, settings)
const withoutPage = (b, url) => passThrough(b, url, settings.redirectURI)
const stranger = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

const { redeem, url } = await step('a signed request, pushed; a login; a signed answer', () => authorize(withPassword))
await step('the code is good with no other key', async () => {
  try {
    await redeem(stranger)
  } catch (e) {
    check(['invalid_grant', 'invalid_dpop_proof'].includes(e.error), `the error is ${e.error}`)
    return
  }
  throw new Error('it was redeemed')
})
let tokens = await step('a code, bound to a key', () => redeem(DPoP))
const { sub } = tokens.claims()
await step('the tokens are bound', () => same(tokens.token_type, 'dpop', 'token_type'))
await step('userinfo, with the key', () => client.fetchUserInfo(config, tokens.access_token, sub, { DPoP }))
await step('userinfo refuses who has the token alone', async () => {
  for (const scheme of ['Bearer', 'DPoP']) {
    const answer = await fetch(server.userinfo_endpoint, { headers: { authorization: `${scheme} ${tokens.access_token}` } })
    same(answer.status, 401, `the status with ${scheme}`)
    check(answer.headers.get('www-authenticate')?.startsWith(scheme), `the challenge does not speak of ${scheme}`)
  }
})
await step('a pushed request is good once', async () => {
  const back = await passThrough(browser, url, settings.redirectURI)
  const said = JSON.parse(Buffer.from(back.searchParams.get('response').split('.')[1], 'base64url'))
  same(said.error, 'invalid_request_uri', 'the error')
})

for (const time of ['first', 'second']) {
  tokens = await step(`refresh, the ${time} time`, async () => {
    const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
    check(fresh.access_token !== tokens.access_token, 'the access token is the same')
    return { ...fresh, refresh_token: fresh.refresh_token ?? tokens.refresh_token }
  })
}
await step('userinfo with the fresh token', () => client.fetchUserInfo(config, tokens.access_token, sub, { DPoP }))

await step('prompt=none, with the session', async () => {
  const silent = await authorize(withoutPage, { prompt: 'none' })
  same((await silent.redeem(DPoP)).claims().sub, sub, 'sub')
})
await step('an error comes signed, too', () =>
  refused('login_required', async () => (await authorize((_b, u) => passThrough(new Browser(), u, settings.redirectURI), { prompt: 'none' })).redeem(DPoP)),
)
await step('a request that was not pushed is refused', async () => {
  const plain = client.buildAuthorizationUrl(config, { redirect_uri: settings.redirectURI, scope: settings.scope })
  const answer = await fetch(plain, { redirect: 'manual' })
  const to = answer.headers.get('location') ?? ''
  check(answer.status === 400 || to.startsWith(settings.redirectURI), `it is answered with ${answer.status} ${to}`)
})
await step('revocation', () => client.tokenRevocation(config, tokens.refresh_token))
await step('a revoked refresh token is refused', () =>
  refused('invalid_grant', () => client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })),
)
if (settings.postLogoutRedirectURI) {
  await step('logout', async () => {
    const end = client.buildEndSessionUrl(config, { post_logout_redirect_uri: settings.postLogoutRedirectURI, state: 'bye', id_token_hint: tokens.id_token })
    const back = await passThrough(browser, end, settings.postLogoutRedirectURI)
    same(back.searchParams.get('state'), 'bye', 'state')
  })
}
