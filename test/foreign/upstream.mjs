// A provider that others have written, for dex to ask: oidc-provider, with everything
// turned on that makes a relying party work for it. Whoever comes is logged in by the
// name that they give.
import { createServer } from 'node:http'
import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'

const { PORT, ISSUER, CLIENT_KEYS, REDIRECT_URI, POST_LOGOUT_REDIRECT_URI } = process.env

/** keys are new each time: one of each kind that ID tokens are signed with. */
const keys = () => [
  { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' },
  { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'PS256' },
]

function provider() {
  const p = new Provider(ISSUER, {
    clients: [
      {
        client_id: 'dex',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: JSON.parse(CLIENT_KEYS),
        redirect_uris: [REDIRECT_URI],
        post_logout_redirect_uris: [POST_LOGOUT_REDIRECT_URI],
        grant_types: ['authorization_code', 'refresh_token'],
        subject_type: 'pairwise',
        id_token_signed_response_alg: 'ES256',
        id_token_encrypted_response_alg: 'RSA-OAEP-256',
        id_token_encrypted_response_enc: 'A256GCM',
        userinfo_signed_response_alg: 'PS256',
        request_object_signing_alg: 'ES256',
        authorization_signed_response_alg: 'ES256',
        require_pushed_authorization_requests: true,
        require_signed_request_object: true,
        dpop_bound_access_tokens: true,
      },
    ],
    jwks: { keys: keys() },
    cookies: { keys: ['a key of this test'] },
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: (_ctx, accountId, client) => `${accountId}-as-${client.clientId}-knows-them`,
    enabledJWA: {
      requestObjectSigningAlgValues: ['ES256'],
      clientAuthSigningAlgValues: ['ES256'],
      idTokenSigningAlgValues: ['ES256', 'PS256'],
      idTokenEncryptionAlgValues: ['RSA-OAEP-256'],
      userinfoSigningAlgValues: ['PS256'],
      authorizationSigningAlgValues: ['ES256'],
    },
    clientAuthMethods: ['private_key_jwt'],
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    features: {
      devInteractions: { enabled: true },
      dPoP: { enabled: true },
      encryption: { enabled: true },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      requestObjects: { request: true },
    },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: `${id} Example` }),
    }),
  })
  for (const event of ['server_error', 'authorization.error', 'grant.error', 'pushed_authorization_request.error', 'userinfo.error']) {
    p.on(event, (_ctx, e) => console.log(`${event}: ${e.error_description ?? e.message} ${e.error_detail ?? ''}`))
  }
  return p.callback()
}

// What it keeps, it keeps in this process: another one with other keys goes on with it.
let serve = provider()
createServer((request, response) => serve(request, response)).listen(Number(PORT), '127.0.0.1', () => console.log('ready'))
process.on('SIGHUP', () => {
  serve = provider()
  console.log('rotated')
})
